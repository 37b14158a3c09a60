import { ServeError } from "../serve-error.ts";
import type { NamedTensor } from "../tensor.ts";
import { type CodecLimits, DEFAULT_CODEC_LIMITS } from "./codec-limits.ts";
import {
  type InferParameterValue,
  parametersSize,
  readParameter,
  writeParameters,
} from "./infer-parameters.ts";
import { LENGTH, WireReader } from "./wire-reader.ts";
import {
  finishTensor,
  type LateWork,
  readTensor,
  refuseTensorParameters,
  type TensorDraft,
  tensorHeadSize,
  writeTensorHead,
} from "./wire-tensor.ts";
import { fieldSize, NEW_BLOCKS, type Target, textSize, WireWriter } from "./wire-writer.ts";

/** What a request message says, free of its encoding. Empty strings mean "not given", as proto3 has it. */
export interface WireRequest {
  readonly model: string;
  readonly version: string | undefined;
  readonly id: string | undefined;
  readonly parameters: ReadonlyMap<string, InferParameterValue>;
  readonly inputs: readonly NamedTensor[];
  /** Undefined: all. */
  readonly outputs: readonly string[] | undefined;
  /** 0: none given. Always 0 in the Open Inference Protocol, which has a parameter for it. */
  readonly timeoutMs: number;
}

/** What an answer message says. */
export interface WireResponse {
  readonly model: string;
  readonly version: string;
  readonly id: string | undefined;
  readonly parameters: ReadonlyMap<string, InferParameterValue>;
  readonly outputs: readonly NamedTensor[];
}

const NONE: ReadonlyMap<string, InferParameterValue> = new Map();

/**
 * Decodes `inference.ModelInferRequest`. Tensor bytes are views on `bytes` wherever they were sent raw or as one run of floats.
 * Throws ServeError `invalid_argument` (malformed bytes, limits, raw and typed contents mixed) or `unimplemented` (shared memory).
 */
export function decodeModelInferRequest(
  bytes: Uint8Array,
  limits: CodecLimits = DEFAULT_CODEC_LIMITS,
  late?: LateWork[],
): WireRequest {
  const reader = new WireReader(bytes);
  const end = bytes.length;
  let model = "";
  let version = "";
  let id = "";
  let parameters: Map<string, InferParameterValue> | undefined;
  const drafts: TensorDraft[] = [];
  const outputs: string[] = [];
  const raws: Uint8Array[] = [];
  for (let tag = reader.tag(end); tag !== 0; tag = reader.tag(end)) {
    switch (tag) {
      case (1 << 3) | LENGTH:
        model = reader.text(end, limits.maxTextBytes, "model_name");
        break;
      case (2 << 3) | LENGTH:
        version = reader.text(end, limits.maxTextBytes, "model_version");
        break;
      case (3 << 3) | LENGTH:
        id = reader.text(end, limits.maxTextBytes, "id");
        break;
      case (4 << 3) | LENGTH:
        parameters ??= new Map();
        readParameter(reader, end, parameters, limits);
        break;
      case (5 << 3) | LENGTH:
        drafts.push(readTensor(reader, end, "parameters", limits));
        checkTensorCount(drafts.length + outputs.length, limits);
        break;
      case (6 << 3) | LENGTH:
        outputs.push(readRequestedOutput(reader, end, limits));
        checkTensorCount(drafts.length + outputs.length, limits);
        break;
      case (7 << 3) | LENGTH:
        raws.push(reader.span(end));
        checkTensorCount(raws.length, limits);
        break;
      default:
        reader.skip(tag, end);
    }
  }
  if (raws.length > 0) attachRaw(drafts, raws);
  return {
    model,
    version: version === "" ? undefined : version,
    id: id === "" ? undefined : id,
    parameters: parameters ?? NONE,
    inputs: drafts.map((draft) => finishTensor(reader, draft, { limits, late })),
    outputs: outputs.length === 0 ? undefined : outputs,
    timeoutMs: 0,
  };
}

/** Throws `invalid_argument` when a request has too many tensors. */
export function checkTensorCount(count: number, limits: CodecLimits): void {
  if (count <= limits.maxTensors) return;
  throw new ServeError("invalid_argument", `there are more than ${limits.maxTensors} inputs and outputs`, {
    reason: "limit_exceeded",
  });
}

function readRequestedOutput(reader: WireReader, end: number, limits: CodecLimits): string {
  const stop = reader.enter(end);
  let name = "";
  for (let tag = reader.tag(stop); tag !== 0; tag = reader.tag(stop)) {
    if (tag === ((1 << 3) | LENGTH)) name = reader.text(stop, limits.maxTextBytes, "an output's name");
    else if (tag === ((2 << 3) | LENGTH)) refuseTensorParameters(reader, stop, limits);
    else reader.skip(tag, stop);
  }
  return name;
}

function attachRaw(drafts: readonly TensorDraft[], raws: readonly Uint8Array[]): void {
  if (raws.length !== drafts.length) {
    throw new ServeError(
      "invalid_argument",
      `there are ${drafts.length} inputs but ${raws.length} raw_input_contents; send one for each input`,
      { reason: "raw_count" },
    );
  }
  for (let i = 0; i < drafts.length; i++) drafts[i]!.bytes = raws[i]!;
}

/** Encodes `inference.ModelInferResponse`; tensors go to `raw_output_contents`, as Triton always does. */
export function encodeModelInferResponse(response: WireResponse, target: Target = NEW_BLOCKS): Uint8Array {
  const writer = new WireWriter(responseSize(response), target);
  writeResponse(writer, response);
  return writer.bytes;
}

/**
 * Encodes `inference.ModelStreamInferResponse`: an answer, or an error beside an answer that carries the request's id and nothing
 * else.
 */
export function encodeModelStreamInferResponse(
  response: WireResponse,
  errorMessage: string,
  target: Target = NEW_BLOCKS,
): Uint8Array {
  const inner = responseSize(response);
  const errorBytes = textSize(errorMessage);
  const size = (errorBytes === 0 ? 0 : fieldSize(errorBytes)) + fieldSize(inner);
  const writer = new WireWriter(size, target);
  writer.text(1, errorMessage, errorBytes);
  writer.open(2, inner);
  writeResponse(writer, response);
  return writer.bytes;
}

function optionalTextSize(text: string): number {
  const size = textSize(text);
  return size === 0 ? 0 : fieldSize(size);
}

function responseSize(response: WireResponse): number {
  let size =
    optionalTextSize(response.model) +
    optionalTextSize(response.version) +
    optionalTextSize(response.id ?? "") +
    (response.parameters.size === 0 ? 0 : parametersSize(response.parameters));
  for (let i = 0; i < response.outputs.length; i++) {
    const output = response.outputs[i]!;
    size += fieldSize(tensorHeadSize(output)) + fieldSize(output.bytes.length);
  }
  return size;
}

function writeResponse(writer: WireWriter, response: WireResponse): void {
  const id = response.id ?? "";
  writer.text(1, response.model, textSize(response.model));
  writer.text(2, response.version, textSize(response.version));
  writer.text(3, id, textSize(id));
  if (response.parameters.size > 0) writeParameters(writer, 4, response.parameters);
  for (let i = 0; i < response.outputs.length; i++) {
    const output = response.outputs[i]!;
    writer.open(5, tensorHeadSize(output));
    writeTensorHead(writer, output);
  }
  for (let i = 0; i < response.outputs.length; i++) writer.raw(6, response.outputs[i]!.bytes);
}
