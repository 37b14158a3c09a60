import { type CodecLimits, DEFAULT_CODEC_LIMITS } from "./codec-limits.ts";
import { parametersSize, writeParameters } from "./infer-parameters.ts";
import { NOBODY, type Receiver, RequestDraft, type WireRequest } from "./request-draft.ts";
import { LENGTH, VARINT } from "./wire-reader.ts";
import { responseHeadSize, type WireResponse, writeResponseHead } from "./wire-response.ts";
import { tensorHeadSize, writeTensorHead } from "./wire-tensor.ts";
import {
  fieldSize,
  NEW_BLOCKS,
  type Target,
  textFieldSize,
  textSize,
  varintSize,
  WireWriter,
} from "./wire-writer.ts";

/** Why one request of a stream failed. */
export interface PredictionError {
  readonly code: string;
  readonly message: string;
  readonly reason: string;
  /** Whole milliseconds; 0: no hint. */
  readonly retryAfterMs: number;
}

/** Milliseconds of receive, decode, queue, batch, transfer and compute, in that order; NaN for a stage that was not reached. */
export type PredictionTimings = readonly number[];

const TIMED_STAGES = 6;

/**
 * Decodes `sconce.v1.PredictRequest`, and `InputData`, which has the same fields. Tensor bytes are views on `bytes` where they can
 * be. `onModel` is told where the request is going before its tensors are read, if it says so before them. Throws what `onModel` throws,
 * and ServeError `invalid_argument`.
 */
export function decodePredictRequest(
  bytes: Uint8Array,
  limits: CodecLimits = DEFAULT_CODEC_LIMITS,
  receiver: Receiver = NOBODY,
): WireRequest {
  const draft = new RequestDraft(bytes, limits, receiver);
  const { reader } = draft;
  const end = bytes.length;
  let timeoutMs = 0;
  for (let tag = reader.tag(end); tag !== 0; tag = reader.tag(end)) {
    switch (tag) {
      case (4 << 3) | LENGTH:
        draft.readTensor("raw");
        break;
      case (5 << 3) | LENGTH:
        draft.addOutput(reader.text(end, limits.maxTextBytes, "an output's name"));
        break;
      case (6 << 3) | LENGTH:
        draft.readParameter();
        break;
      case (7 << 3) | VARINT:
        reader.varint(end);
        timeoutMs = reader.lo;
        break;
      default:
        draft.readCommon(tag);
    }
  }
  return draft.finish(timeoutMs);
}

/** Encodes `sconce.v1.PredictionResult`: an answer with its timings, or an error (then `response` has no outputs). */
export function encodePredictionResult(
  response: WireResponse,
  extra: { readonly error?: PredictionError; readonly timings?: PredictionTimings },
  target: Target = NEW_BLOCKS,
): Uint8Array {
  const errorBytes = extra.error === undefined ? -1 : errorSize(extra.error);
  const timingBytes = extra.timings === undefined ? -1 : timingsSize(extra.timings);
  const writer = new WireWriter(resultSize(response, errorBytes, timingBytes), target);
  writeResponseHead(writer, response);
  for (let i = 0; i < response.outputs.length; i++) {
    const output = response.outputs[i]!;
    writer.open(4, tensorHeadSize(output) + fieldSize(output.bytes.length));
    writeTensorHead(writer, output);
    writer.raw(4, output.bytes);
  }
  if (response.parameters.size > 0) writeParameters(writer, 5, response.parameters);
  if (extra.error !== undefined) writeError(writer, extra.error, errorBytes);
  if (extra.timings !== undefined) writeTimings(writer, extra.timings, timingBytes);
  return writer.bytes;
}

function resultSize(response: WireResponse, errorBytes: number, timingBytes: number): number {
  let size = responseHeadSize(response);
  for (let i = 0; i < response.outputs.length; i++) {
    const output = response.outputs[i]!;
    size += fieldSize(tensorHeadSize(output) + fieldSize(output.bytes.length));
  }
  if (response.parameters.size > 0) size += parametersSize(response.parameters);
  if (errorBytes >= 0) size += fieldSize(errorBytes);
  if (timingBytes >= 0) size += fieldSize(timingBytes);
  return size;
}

function errorSize(error: PredictionError): number {
  const retry = error.retryAfterMs === 0 ? 0 : 1 + varintSize(error.retryAfterMs);
  return textFieldSize(error.code) + textFieldSize(error.message) + textFieldSize(error.reason) + retry;
}

function writeError(writer: WireWriter, error: PredictionError, size: number): void {
  writer.open(6, size);
  writer.text(1, error.code, textSize(error.code));
  writer.text(2, error.message, textSize(error.message));
  writer.text(3, error.reason, textSize(error.reason));
  if (error.retryAfterMs === 0) return;
  writer.byte((4 << 3) | VARINT);
  writer.varint(error.retryAfterMs);
}

function isTimed(ms: number | undefined): ms is number {
  return ms !== undefined && Number.isFinite(ms) && ms !== 0;
}

function timingsSize(timings: PredictionTimings): number {
  let size = 0;
  for (let i = 0; i < TIMED_STAGES; i++) if (isTimed(timings[i])) size += 9;
  return size;
}

function writeTimings(writer: WireWriter, timings: PredictionTimings, size: number): void {
  writer.open(7, size);
  for (let i = 0; i < TIMED_STAGES; i++) {
    const ms = timings[i];
    if (!isTimed(ms)) continue;
    writer.byte(((i + 1) << 3) | 1);
    writer.float64(ms);
  }
}
