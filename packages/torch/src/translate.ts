import type { ByteSource, Platform } from "./byte-source.ts";
import { countWeights } from "./count-weights.ts";
import { readProgramFile } from "./formats.ts";
import { optimizeProgram } from "./graph/passes.ts";
import { lowerProgram } from "./lower/lower-program.ts";
import { LOWERINGS } from "./lower/table.ts";
import { encodeModel } from "./onnx/encode.ts";
import type { Translation } from "./translation.ts";

export interface TranslateOptions {
  /**
   * Where big weights are: `"mapped"` (default) points into the source file by offset, so that ONNX Runtime maps them and nothing is
   * copied; `"embedded"` writes them into the model, for a file of its own (up to 2 GiB).
   */
  readonly weights?: "mapped" | "embedded";
}

/**
 * Turns a program file (`.pt2`) into ONNX. Ops that cannot be translated are all listed in `report.unsupported`; `model` is empty
 * then. The source is only read during the call. Throws ModelFileError for a file that is broken or beyond a limit.
 */
export function translate(
  source: ByteSource,
  platform: Platform,
  options: TranslateOptions = {},
): Translation {
  const { format, program } = readProgramFile(source, platform);
  const { program: ready, refused } = optimizeProgram(program);
  const lowered = lowerProgram(ready, LOWERINGS, options.weights === "embedded" ? undefined : source.name);
  const unsupported = [...refused, ...lowered.refused];
  return {
    model:
      lowered.model === undefined || unsupported.length > 0 ? new Uint8Array(0) : encodeModel(lowered.model),
    inputs: lowered.inputs,
    outputs: lowered.outputs,
    report: { unsupported, warnings: [...ready.warnings, ...lowered.warnings] },
    sampleInputs: undefined,
    format,
    ...countWeights(program),
  };
}
