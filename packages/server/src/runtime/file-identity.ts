import { stat } from "node:fs/promises";
import { ServeError } from "../base/errors.ts";

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
        throw new ServeError("not_found", "the model's file is gone", {
          reason: "model_file_gone",
          cause: error,
        });
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
