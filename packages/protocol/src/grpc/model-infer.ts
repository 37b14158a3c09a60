import { type CodecLimits, DEFAULT_CODEC_LIMITS } from "./codec-limits.ts";
import {
  type InferParameterValue,
  parametersSize,
  readParameter,
  writeParameters,
} from "./infer-parameters.ts";
import { checkTensorCount, NOBODY, type Receiver, RequestDraft, type WireRequest } from "./request-draft.ts";
import { LENGTH } from "./wire-reader.ts";
import { responseHeadSize, type WireResponse, writeResponseHead } from "./wire-response.ts";
import { outputForm, tensorHeadSize, writeTensorHead } from "./wire-tensor.ts";
import { fieldSize, NEW_BLOCKS, type Target, textFieldSize, textSize, WireWriter } from "./wire-writer.ts";

/**
 * Decodes `inference.ModelInferRequest`. Tensor bytes are views on `bytes` wherever they were sent raw or as one run of floats.
 * `onModel` is told where the request is going before its tensors are read, if it says so before them. Throws what `onModel` throws, and
 * ServeError `invalid_argument` (malformed bytes, limits, raw and typed contents mixed) or `unimplemented` (tensor parameters that are not known).
 */
export function decodeModelInferRequest(
  bytes: Uint8Array,
  limits: CodecLimits = DEFAULT_CODEC_LIMITS,
  receiver: Receiver = NOBODY,
): WireRequest {
  const draft = new RequestDraft(bytes, limits, receiver);
  const { reader } = draft;
  const end = bytes.length;
  const raws: Uint8Array[] = [];
  for (let tag = reader.tag(end); tag !== 0; tag = reader.tag(end)) {
    switch (tag) {
      case (4 << 3) | LENGTH:
        draft.readParameter();
        break;
      case (5 << 3) | LENGTH:
        draft.readTensor("parameters");
        break;
      case (6 << 3) | LENGTH:
        readRequestedOutput(draft, end, limits);
        break;
      case (7 << 3) | LENGTH:
        raws.push(reader.span(end));
        checkTensorCount(raws.length, limits);
        break;
      default:
        draft.readCommon(tag);
    }
  }
  if (raws.length > 0) draft.attachRaw(raws);
  return draft.finish(0);
}

function readRequestedOutput(draft: RequestDraft, end: number, limits: CodecLimits): void {
  const { reader } = draft;
  const stop = reader.enter(end);
  let name = "";
  const parameters = new Map<string, InferParameterValue>();
  for (let tag = reader.tag(stop); tag !== 0; tag = reader.tag(stop)) {
    if (tag === ((1 << 3) | LENGTH)) name = reader.text(stop, limits.maxTextBytes, "an output's name");
    else if (tag === ((2 << 3) | LENGTH)) readParameter(reader, stop, parameters, limits);
    else reader.skip(tag, stop);
  }
  if (parameters.size === 0) draft.addOutput(name);
  else draft.addOutput(name, outputForm(parameters));
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
  const writer = new WireWriter(textFieldSize(errorMessage) + fieldSize(inner), target);
  writer.text(1, errorMessage, textSize(errorMessage));
  writer.open(2, inner);
  writeResponse(writer, response);
  return writer.bytes;
}

function responseSize(response: WireResponse): number {
  let size =
    responseHeadSize(response) + (response.parameters.size === 0 ? 0 : parametersSize(response.parameters));
  for (let i = 0; i < response.outputs.length; i++) {
    const output = response.outputs[i]!;
    size += fieldSize(tensorHeadSize(output)) + fieldSize(output.bytes.length);
  }
  return size;
}

function writeResponse(writer: WireWriter, response: WireResponse): void {
  writeResponseHead(writer, response);
  if (response.parameters.size > 0) writeParameters(writer, 4, response.parameters);
  for (let i = 0; i < response.outputs.length; i++) {
    const output = response.outputs[i]!;
    writer.open(5, tensorHeadSize(output));
    writeTensorHead(writer, output);
  }
  for (let i = 0; i < response.outputs.length; i++) writer.raw(6, response.outputs[i]!.bytes);
}
