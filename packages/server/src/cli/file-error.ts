import { MissingInputs, ModelFileError } from "@sconce/torch";
import { ServeError } from "../base/errors.ts";

/** What the reader of model files threw, for the user of a command; anything else as it is. `name`: the file's, without folders. */
export function fileError(name: string, thrown: unknown): unknown {
  if (!(thrown instanceof ModelFileError)) return thrown;
  const advice = thrown instanceof MissingInputs ? `. For example: --inputs '${thrown.example}'` : "";
  return new ServeError("invalid_argument", `${name}: ${thrown.message}${advice}`, { cause: thrown });
}
