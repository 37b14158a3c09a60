import { statSync } from "node:fs";
import { basename } from "node:path";
import type { Arguments } from "./arguments.ts";
import { requireModelFile } from "./model-path.ts";
import { requireWritable } from "./output-draft.ts";
import { usageError } from "./usage-error.ts";

/**
 * The one file a command reads and the one it writes. Throws ServeError when one is missing or cannot be read or written, and when both
 * are the same.
 */
export function inputAndOutput(
  args: Arguments,
  output: string | undefined,
): { readonly input: string; readonly output: string } {
  const input = onlyFile(args);
  if (output === undefined) throw usageError("-o OUT.onnx is missing");
  if (!output.endsWith(".onnx"))
    throw usageError(`-o: expected a name that ends with .onnx, got ${basename(output)}`);
  requireModelFile(input);
  requireWritable(output);
  if (statSync(output, { throwIfNoEntry: false })?.ino === statSync(input).ino) {
    throw usageError("-o names the file that is read; choose another name");
  }
  return { input, output };
}

function onlyFile({ positionals }: Arguments): string {
  const [input, ...others] = positionals;
  if (input === undefined) throw usageError("expected one FILE, got none");
  if (others.length > 0) throw usageError(`expected one FILE, got ${positionals.length}`);
  return input;
}
