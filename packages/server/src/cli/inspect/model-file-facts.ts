import { basename } from "node:path";
import { type ModelSummary, summarizeFile } from "@sconce/torch";
import { nodePlatform, openFileSource } from "@sconce/torch/node";
import type { Batching } from "../../base/signature.ts";
import { batchingUnderGuards, batchingWithMixedRows, decideBatching } from "../../runtime/onnx/batching.ts";
import { fileError } from "../file-error.ts";
import type { StatedInputs } from "../stated-inputs.ts";
import { type Advice, adviceFor } from "./advice.ts";

/** What a model file says, and what follows from it for a server. */
export interface ModelFileFacts {
  readonly summary: ModelSummary;
  readonly runtime: RuntimeChoice;
  /** Undefined: it is no program that could be batched, or cannot be translated. */
  readonly batching: Batching | undefined;
  /** What would make it faster or smaller. */
  readonly advice: readonly Advice[];
}

/** What will run a model; without a look at whether Python is there, which is known where the model is served. */
export interface RuntimeChoice {
  readonly name: "onnx" | "python" | undefined;
  readonly why: string;
}

/** Reads a file, and runs nothing. Throws ServeError `invalid_argument` when it cannot be read. */
export function factsOfFile(path: string, inputs: StatedInputs | undefined): ModelFileFacts {
  const source = openFileSource(path);
  try {
    const summary = summarizeFile(source, nodePlatform, inputs === undefined ? {} : { inputs: inputs.types });
    const runtime = runtimeOf(summary);
    const batching = batchingOf(summary);
    return { summary, runtime, batching, advice: adviceFor({ summary, runtime, batching, file: path }) };
  } catch (error) {
    throw fileError(basename(path), error);
  } finally {
    source.close();
  }
}

function runtimeOf(summary: ModelSummary): RuntimeChoice {
  const { unsupported } = summary.report;
  if (summary.format === "checkpoint" || summary.format === "safetensors") {
    return {
      name: undefined,
      why: "the file holds weights and no program; put the model.py beside it that makes the model, or export it with torch.export.save",
    };
  }
  if (unsupported.length > 0) {
    const kinds = unsupported.length === 1 ? "1 kind of op" : `${unsupported.length} kinds of op`;
    return {
      name: "python",
      why: `${kinds} cannot be translated to ONNX, so that it takes Python with PyTorch (--python)`,
    };
  }
  return {
    name: "onnx",
    why: summary.format === "onnx" ? "the file is ONNX" : "every op translates to ONNX; no Python is needed",
  };
}

function batchingOf({
  format,
  inputs,
  outputs,
  guards,
  report,
  rowMixing,
  state = [],
}: ModelSummary): Batching | undefined {
  const isProgram = format === "pt2" || format === "torchscript" || format === "onnx";
  if (!isProgram || report.unsupported.length > 0) return undefined;
  const keptNames = new Set(state.flatMap((pair) => [pair.input, pair.output]));
  const decided = decideBatching(
    { inputs, outputs, state: keptNames },
    format === "onnx" ? "onnx" : "pytorch",
  );
  return batchingWithMixedRows(batchingUnderGuards(decided, guards), rowMixing);
}
