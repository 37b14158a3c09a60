import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { ByteWriter, encodeJsonTensor } from "@sconce/protocol";
import { ModelInferRequestSchema } from "@sconce/protocol/messages";
import { ServeError } from "../../base/errors.ts";
import { faultCode } from "../../base/file-fault.ts";
import type { Signature } from "../../base/signature.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import { madeUp, randomNumbers, readTrial } from "../trial-inputs.ts";
import { usageError } from "../usage-error.ts";
import type { Target } from "./target.ts";

/** A request as it goes over the wire, the same every time. */
export interface RequestBody {
  /** Path of the endpoint. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array;
}

/** Named tensors for a signature: read from a file, or made up. Throws ServeError. */
export async function inputTensors(
  signature: Signature,
  options: {
    readonly input: string | undefined;
    readonly rows: number;
    readonly size: number;
    readonly seed: number;
  },
): Promise<NamedTensor[]> {
  const { inputs } = signature;
  if (options.input !== undefined) {
    const trial = await readTrial(options.input, signature);
    return trial.inputs.map((tensor, i) => ({ ...tensor, name: inputs[i]!.name }));
  }
  const next = randomNumbers(options.seed);
  return inputs.map((spec) => {
    const shape = spec.dims.map((dim, axis) =>
      typeof dim === "number" ? dim : axis === 0 ? options.rows : options.size,
    );
    return { ...madeUp(spec, shape, { bound: undefined, next }), name: spec.name };
  });
}

/** Spells tensors in the target's protocol. */
export function encodeRequest(target: Omit<Target, "access">, tensors: readonly NamedTensor[]): RequestBody {
  const model = encodeURIComponent(target.model);
  const version = target.version === undefined ? "" : `/versions/${encodeURIComponent(target.version)}`;
  const path = `/v2/models/${model}${version}/infer`;
  switch (target.protocol) {
    case "json":
      return { path, headers: { "content-type": "application/json" }, bytes: jsonBody(target, tensors) };
    case "binary":
      return { path, ...binaryBody(target, tensors) };
    case "predict":
      return {
        path: `/predict/${model}`,
        headers: { "content-type": "application/json" },
        bytes: predictBody(target, tensors),
      };
    case "grpc":
      return {
        path: "/inference.GRPCInferenceService/ModelInfer",
        headers: {},
        bytes: grpcMessage(target, tensors),
      };
    case "grpc-stream":
      return {
        path: "/inference.GRPCInferenceService/ModelStreamInfer",
        headers: {},
        bytes: grpcMessage(target, tensors),
      };
  }
}

/** A file as it is for REST as JSON; undefined when its tensors are needed. Throws ServeError. */
export function verbatimBody(target: Target, input: string): RequestBody | undefined {
  if (target.protocol !== "json" && target.protocol !== "predict") return undefined;
  const bytes = readInput(input);
  const value = parseJson(bytes, input);
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  const fits = isObject && (target.protocol === "json" ? "inputs" in value : "input" in value);
  return fits ? { ...encodeRequest(target, []), bytes } : undefined;
}

/** The JSON of a file. Throws ServeError that names it. */
export function readJsonFile(path: string): unknown {
  return parseJson(readInput(path), path);
}

function readInput(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw faultCode(cause) === "ENOENT"
      ? usageError(`${path}: no such file`)
      : new ServeError("invalid_argument", `${basename(path)} cannot be read`, { cause });
  }
}

function parseJson(bytes: Buffer, path: string): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new ServeError("invalid_argument", `${basename(path)} is not JSON: ${(cause as Error).message}`, {
      cause,
    });
  }
}

type Sequenced = Pick<Target, "hasSequences" | "outputs">;

/** The same, to be put behind the last value of a JSON object. */
function outputsText({ outputs }: Sequenced): string {
  return outputs === undefined ? "" : `,"outputs":${JSON.stringify(outputs.map((name) => ({ name })))}`;
}

/** What makes a request a whole sequence. */
const WHOLE = { sequence_start: true, sequence_end: true };

/** The same, to be put behind the last value of a JSON object. */
function wholeText({ hasSequences }: Sequenced): string {
  return hasSequences === true ? `,"parameters":${JSON.stringify(WHOLE)}` : "";
}

function jsonBody(target: Sequenced, tensors: readonly NamedTensor[]): Uint8Array {
  const items = tensors.map((tensor) => {
    const { name, datatype, shape } = tensor;
    return `${JSON.stringify({ name, datatype, shape }).slice(0, -1)},"data":${elements(tensor, "flat")}}`;
  });
  return Buffer.from(`{"inputs":[${items.join(",")}]${outputsText(target)}${wholeText(target)}}`);
}

function predictBody(target: Sequenced, tensors: readonly NamedTensor[]): Uint8Array {
  const items = tensors.map((tensor) => `${JSON.stringify(tensor.name)}:${elements(tensor, "nested")}`);
  const input = tensors.length === 1 ? elements(tensors[0]!, "nested") : `{${items.join(",")}}`;
  return Buffer.from(`{"input":${input}${wholeText(target)}}`);
}

function elements(tensor: NamedTensor, layout: "flat" | "nested"): string {
  const out = new ByteWriter(1024, Buffer.allocUnsafe);
  encodeJsonTensor(out, tensor, { layout, nonFinite: "null" });
  return Buffer.from(out.finish()).toString("utf8");
}

function binaryBody(
  { hasSequences, outputs }: Sequenced,
  tensors: readonly NamedTensor[],
): Pick<RequestBody, "headers" | "bytes"> {
  const head = Buffer.from(
    JSON.stringify({
      inputs: tensors.map(({ name, datatype, shape, bytes }) => ({
        name,
        datatype,
        shape,
        parameters: { binary_data_size: bytes.length },
      })),
      ...(outputs !== undefined && { outputs: outputs.map((name) => ({ name })) }),
      parameters: { binary_data_output: true, ...(hasSequences === true && WHOLE) },
    }),
  );
  return {
    headers: {
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(head.length),
    },
    bytes: Buffer.concat([head, ...tensors.map(({ bytes }) => bytes)]),
  };
}

function grpcMessage(
  { model, version, hasSequences, outputs }: Omit<Target, "access">,
  tensors: readonly NamedTensor[],
): Uint8Array {
  const message = create(ModelInferRequestSchema, {
    modelName: model,
    modelVersion: version ?? "",
    inputs: tensors.map(({ name, datatype, shape }) => ({ name, datatype, shape: shape.map(BigInt) })),
    rawInputContents: tensors.map(({ bytes }) => bytes),
    ...(outputs !== undefined && { outputs: outputs.map((name) => ({ name })) }),
    ...(hasSequences === true && {
      parameters: Object.fromEntries(
        Object.entries(WHOLE).map(([name, value]) => [
          name,
          { parameterChoice: { case: "boolParam" as const, value } },
        ]),
      ),
    }),
  });
  return toBinary(ModelInferRequestSchema, message);
}
