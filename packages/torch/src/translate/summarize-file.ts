import { readSafetensors } from "../archive/safetensors.ts";
import { elementCount, type StoredTensor } from "../archive/stored-tensor.ts";
import type { ByteSource, Platform } from "../byte-source.ts";
import { readCheckpoint } from "../checkpoint/checkpoint.ts";
import { BYTE_WIDTHS } from "../dtype.ts";
import { ModelFileError } from "../errors.ts";
import { detectFile } from "../formats/detect-file.ts";
import { isWeights } from "../formats/file-format.ts";
import { dtypeOfOnnx } from "../onnx/dtype.ts";
import { type OnnxPort, scanOnnx } from "../onnx/scan-model.ts";
import { onnxRowMixing } from "../quantize/row-mixing.ts";
import type { TorchScriptOptions } from "../torchscript/torchscript.ts";
import { summarize } from "./summarize.ts";
import type { ModelSummary, SummaryPort } from "./translation.ts";

const NOTHING_TO_REPORT: ModelSummary["report"] = { unsupported: [], warnings: [] };
/** TensorProto.DataType.STRING. */
const ONNX_STRING = 8;

/**
 * What a file of any format holds: a program (`.pt2`, TorchScript), ONNX, or weights alone (checkpoint, safetensors). The format is told
 * by the content. Nothing is run. Throws ModelFileError, also for `inputs` of a file that is not TorchScript.
 */
export function summarizeFile(
  source: ByteSource,
  platform: Platform,
  options: TorchScriptOptions = {},
): ModelSummary {
  const format = detectFile(source);
  if (options.inputs !== undefined && (format === "onnx" || isWeights(format))) {
    throw new ModelFileError(
      "unsupported",
      "only TorchScript programs are told their inputs: leave 'inputs' out",
    );
  }
  switch (format) {
    case "onnx":
      return onnxSummary(source);
    case "checkpoint":
      return checkpointSummary(source, platform);
    case "safetensors":
      return weightsSummary("safetensors", "safetensors", readSafetensors(source).tensors);
    default:
      return summarize(source, platform, options);
  }
}

function checkpointSummary(source: ByteSource, platform: Platform): ModelSummary {
  const { tensors, detail, path, skipped } = readCheckpoint(source, platform);
  const where = path === "" ? detail : `${detail}, weights under '${path}'`;
  const warnings = [...skipped].map(([name, reason]) => `${name}: ${reason}`);
  return { ...weightsSummary("checkpoint", where, tensors), report: { unsupported: [], warnings } };
}

function weightsSummary(
  format: "checkpoint" | "safetensors",
  detail: string,
  tensors: ReadonlyMap<string, StoredTensor>,
): ModelSummary {
  const bytesByDtype: Record<string, number> = {};
  let [parameterCount, weightBytes] = [0, 0];
  for (const { shape, dtype } of tensors.values()) {
    parameterCount += elementCount(shape);
    const bytes = elementCount(shape) * BYTE_WIDTHS[dtype];
    weightBytes += bytes;
    bytesByDtype[dtype] = (bytesByDtype[dtype] ?? 0) + bytes;
  }
  return {
    format,
    detail: `${detail}, ${tensors.size} tensors`,
    inputs: [],
    outputs: [],
    guards: [],
    parameterCount,
    weightBytes,
    bytesByDtype,
    ops: [],
    rowMixing: undefined,
    report: NOTHING_TO_REPORT,
  };
}

function onnxSummary(source: ByteSource): ModelSummary {
  const scan = scanOnnx(source);
  const opsets = [...scan.opsets].map(
    ([domain, version]) => `${domain === "" ? "opset" : domain} ${version}`,
  );
  const producer = scan.producer === "" ? "" : `, written by ${scan.producer}`;
  return {
    format: "onnx",
    detail: `ONNX, IR ${scan.irVersion}, ${opsets.join(", ")}${producer}`,
    inputs: scan.inputs.map(onnxPort),
    outputs: scan.outputs.map(onnxPort),
    guards: [],
    parameterCount: scan.parameterCount,
    weightBytes: scan.weightBytes,
    bytesByDtype: Object.fromEntries(
      Array.from(scan.bytesByType, ([type, bytes]) => [dtypeOfOnnx(type) ?? `type ${type}`, bytes]),
    ),
    ops: [...scan.ops].map(([op, count]) => ({ op, count })).sort((a, b) => b.count - a.count),
    rowMixing: onnxRowMixing(source, scan),
    report: NOTHING_TO_REPORT,
  };
}

function onnxPort({ name, elementType, dims }: OnnxPort): SummaryPort {
  const dtype = elementType === ONNX_STRING ? "string" : (dtypeOfOnnx(elementType) ?? "unknown");
  // As the server has it: any size may be 0, and one without a name has a name of its own.
  const sizes = dims.map((dim, axis) => {
    if (typeof dim === "number") return dim;
    return { symbol: dim === "" ? `${name}.${axis}` : dim, min: 0, max: undefined };
  });
  return { name, dtype, dims: sizes };
}
