import type { NodePlace } from "../code-place.ts";
import type { DType } from "../dtype.ts";
import type { StatePair } from "../graph/ir.ts";
import type { Port, SampleTensor, SizeGuard } from "../graph/port.ts";

/** Every op of a program that cannot be translated, with how often it occurs and why. Empty: the program translates. */
export interface TranslationReport {
  readonly unsupported: readonly { readonly op: string; readonly count: number; readonly reason: string }[];
  /** Things a user should know that did not stop the translation. */
  readonly warnings: readonly string[];
}

/** A program as ONNX. */
export interface Translation {
  /** Serialized ModelProto (IR 11, opset 23). Big initializers are external data inside the source file, by offset. */
  readonly model: Uint8Array;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  /** What the inputs must keep to beside the ranges of their sizes. */
  readonly guards: readonly SizeGuard[];
  /** What the program keeps from call to call, by names that ports have or are also known by; undefined: nothing. */
  readonly state?: readonly StatePair[];
  readonly report: TranslationReport;
  /** Example inputs stored with the program, in the order of `inputs`; undefined when the file has none. */
  readonly sampleInputs: readonly SampleTensor[] | undefined;
  readonly format: ModelSummary["format"];
  readonly parameterCount: number;
  readonly weightBytes: number;
  /** Why rows of one run change each other's answers, in words that follow "because"; undefined: nothing is known that does. */
  readonly rowMixing: string | undefined;
  /** Where the model's values come from, by name, with `keepsPlaces`; a value that only leads in or out has the op "". */
  readonly places?: ReadonlyMap<string, NodePlace>;
}

/** A port for people: ONNX files may hold `string`s, which PyTorch has no dtype for. */
export interface SummaryPort {
  readonly name: string;
  readonly aliases?: Port["aliases"];
  readonly dtype: DType | "string" | "unknown";
  readonly declared?: DType;
  readonly dims: Port["dims"];
}

/** What `inspect` shows about a file of any kind. */
export interface ModelSummary {
  readonly format: "pt2" | "torchscript" | "onnx" | "checkpoint" | "safetensors";
  /** Such as "PT2 archive, schema 8.20, torch 2.13.0". */
  readonly detail: string;
  /** Empty for files without a program. */
  readonly inputs: readonly SummaryPort[];
  readonly outputs: readonly SummaryPort[];
  /** What the inputs must keep to beside the ranges of their sizes. */
  readonly guards: readonly SizeGuard[];
  /** What the program keeps from call to call; undefined: nothing. */
  readonly state?: readonly StatePair[];
  readonly parameterCount: number;
  readonly weightBytes: number;
  /** Of the weights, by dtype as PyTorch calls it, or by the number that ONNX has for it where PyTorch has none. */
  readonly bytesByDtype: Readonly<Record<string, number>>;
  /** Op targets with their counts, most frequent first. */
  readonly ops: readonly { readonly op: string; readonly count: number }[];
  readonly report: TranslationReport;
  /** Why rows of one run change each other's answers, in words that follow "because"; undefined: nothing is known that does. */
  readonly rowMixing: string | undefined;
}
