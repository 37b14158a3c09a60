import type { ByteSource, Platform } from "../byte-source.ts";
import { encodeModel } from "../onnx/encode.ts";
import { translateModel } from "./translate-model.ts";
import type { TranslateOptions } from "./translate-options.ts";
import type { Translation } from "./translation.ts";

/**
 * Turns a program file (`.pt2`, TorchScript) into ONNX. Ops that cannot be translated are all listed in `report.unsupported`; `model` is
 * empty then. The source is only read during the call. Throws ModelFileError for a file that is broken or beyond a limit, and for
 * weights that do not fit the program.
 */
export function translate(
  source: ByteSource,
  platform: Platform,
  options: TranslateOptions = {},
): Translation {
  const { model, ...rest } = translateModel(source, platform, options);
  return { ...rest, model: model === undefined ? new Uint8Array(0) : encodeModel(model) };
}
