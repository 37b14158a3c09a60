import { existsSync, statSync } from "node:fs";
import { basename } from "node:path";
import { ServeError } from "../base/errors.ts";
import type { Arguments } from "./arguments.ts";

/** The one file a command reads and the one it writes. Throws ServeError `bad_arguments` when one is missing or both are the same. */
export function inputAndOutput(
  args: Arguments,
  output: string | undefined,
): { readonly input: string; readonly output: string } {
  const reject = (message: string): ServeError =>
    new ServeError("invalid_argument", message, { reason: "bad_arguments" });
  const [input, ...others] = args.positionals;
  if (input === undefined || others.length > 0) throw reject("expected one FILE");
  if (output === undefined) throw reject("-o OUT.onnx is missing");
  if (!output.endsWith(".onnx"))
    throw reject(`-o: expected a name that ends with .onnx, got ${basename(output)}`);
  if (existsSync(input) && existsSync(output) && statSync(input).ino === statSync(output).ino) {
    throw reject("-o names the file that is read; choose another name");
  }
  return { input, output };
}
