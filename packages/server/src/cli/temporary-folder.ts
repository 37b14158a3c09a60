import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServeError } from "../base/errors.ts";
import { faultCode } from "../base/file-fault.ts";
import { writeFault } from "./output-draft.ts";
import { undoneAtEnd } from "./undone-at-end.ts";

/** What a disk must still take, so that a fault is not because of it. */
const SOME_BYTES = 64 * 1024;

/**
 * Lets `use` work in a folder of its own, of which nothing is left: not when it throws, nor when a signal ends the process. Throws `failed_precondition`
 * when nothing can be written there, be it at the beginning or when `use` failed, whose own words then say little.
 */
export async function withTemporaryFolder<T>(
  purpose: string,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = onTemporary(() => mkdtempSync(join(tmpdir(), `sconce-${purpose}-`)));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const forget = undoneAtEnd(remove);
  try {
    return await use(folder);
  } catch (error) {
    onTemporary(() => writeFileSync(join(folder, "room"), new Uint8Array(SOME_BYTES)));
    throw error;
  } finally {
    remove();
    forget();
  }
}

function onTemporary<T>(write: () => T): T {
  try {
    return write();
  } catch (cause) {
    if (faultCode(cause) === undefined) throw cause;
    const why = writeFault(cause, join(tmpdir(), "x"));
    const told = `temporary files cannot be written to ${tmpdir()}: ${why}; TMPDIR names another folder`;
    throw new ServeError("failed_precondition", told, { cause });
  }
}
