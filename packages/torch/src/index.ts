export type { ByteSource, Platform } from "./byte-source.ts";
export { DTYPES, type DType } from "./dtype.ts";
export { ModelFileError, type ModelFileErrorKind } from "./errors.ts";
export { summarizeFile } from "./summarize-file.ts";
export { type TranslateOptions, translate } from "./translate.ts";
export type {
  ModelSummary,
  Port,
  SampleTensor,
  SummaryPort,
  SymbolicDim,
  Translation,
  TranslationReport,
} from "./translation.ts";
