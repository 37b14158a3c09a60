import { ServeError } from "../base/errors.ts";

const MISSING: ReadonlySet<unknown> = new Set(["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"]);

/** Imports a package that is installed by those who need it. Throws `failed_precondition`/`no_store_client` when it is not there. */
export async function peerPackage<T>(
  name: string,
  load: () => Promise<T>,
  use = "this address is read",
): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    if (!MISSING.has((cause as { code?: unknown }).code)) throw cause;
    throw new ServeError(
      "failed_precondition",
      `${use} by the package ${name}, which is not installed: npm install ${name}`,
      { reason: "no_store_client", cause },
    );
  }
}
