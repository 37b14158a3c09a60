import { stat } from "node:fs/promises";
import { ServeError } from "../base/errors.ts";

/** Which file a model was loaded from: all its instances, and every restart, must run the same bytes. */
export class FileIdentity {
  readonly #file: string;
  #identity: string | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  /** Call it before and after reading. Rejects with `not_found` when the file is gone, `failed_precondition` when it is another than at first. */
  async check(): Promise<void> {
    const { ino, size, mtimeNs } = await stat(this.#file, { bigint: true }).catch((error: unknown) => {
      throw new ServeError("not_found", "the model's file is gone", {
        reason: "model_file_gone",
        cause: error,
      });
    });
    const identity = `${ino}:${size}:${mtimeNs}`;
    this.#identity ??= identity;
    if (this.#identity === identity) return;
    throw new ServeError(
      "failed_precondition",
      "the model's file changed after it was loaded; reload the model",
      { reason: "model_file_changed" },
    );
  }
}
