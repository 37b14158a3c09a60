import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { ServeError } from "../base/errors.ts";
import { faultCode, fileFault } from "../base/file-fault.ts";

/** Which files a model was loaded from: all its instances, and every restart, must run the same bytes. */
export class FileIdentity {
  readonly #file: string;
  readonly #weights: string | undefined;
  #identity: string | undefined;

  constructor(file: string, weights: string | undefined) {
    this.#file = file;
    this.#weights = weights;
  }

  /** Call it before and after reading. Rejects with `not_found` when the model is gone, `failed_precondition` when a file is another than at first. */
  async check(): Promise<void> {
    const [model, weights] = await Promise.all([
      identityOf(this.#file).catch((error: unknown) => {
        throw fileError(error, this.#file);
      }),
      // Whoever reads it says what is wrong with it.
      this.#weights === undefined ? "" : identityOf(this.#weights).catch(() => "gone"),
    ]);
    const identity = `${model} ${weights}`;
    this.#identity ??= identity;
    if (this.#identity === identity) return;
    throw new ServeError(
      "failed_precondition",
      "the model's file changed after it was loaded; reload the model",
      { reason: "model_file_changed" },
    );
  }
}

async function identityOf(file: string): Promise<string> {
  const { ino, size, mtimeNs } = await stat(file, { bigint: true });
  return `${ino}:${size}:${mtimeNs}`;
}

/** A file that is gone stays so; anything else may pass. */
function fileError(thrown: unknown, path: string): unknown {
  if (faultCode(thrown) !== "ENOENT") return fileFault(thrown, path);
  return new ServeError("not_found", `the model's file ${basename(path)} is gone`, {
    reason: "model_file_gone",
    cause: thrown,
  });
}
