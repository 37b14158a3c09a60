import {
  decodeModelInferRequest,
  decodePredictRequest,
  encodeModelInferResponse,
  encodeModelStreamInferResponse,
  encodePredictionResult,
  encodeTypedInferResponse,
  encodeTypedStreamInferResponse,
  peekRequestId,
  type Target,
  type WireRequest,
  type WireResponse,
} from "@sconce/protocol/grpc";
import { ServeError } from "../../base/errors.ts";
import { type InferResponse, NO_PARAMETERS } from "../../base/infer-request.ts";
import { STAGES, stageMs, type Timeline } from "../../base/timeline.ts";
import type { GrpcLimits } from "./grpc-limits.ts";
import type { Dialect, Failure, TypedResponses } from "./inquiry.ts";

/** A dialect of a stream, where a failed request may be a response like any other. */
export interface StreamDialect extends Dialect {
  /** Undefined: it has no words for failures, which end the stream. */
  readonly encodeFailure: ((failure: Failure, message: Uint8Array) => Uint8Array) | undefined;
}

/** With which a request decides it itself. */
const TYPED_WANTED = "typed_contents";

function isTypedResponse(
  { parameters, isTyped = false }: WireRequest,
  typedResponses: TypedResponses,
): boolean {
  const wanted = parameters.size === 0 ? undefined : parameters.get(TYPED_WANTED);
  if (typeof wanted === "boolean") return wanted;
  return typedResponses === "always" || (isTyped && typedResponses === "auto");
}

const FINAL_FLAG_WANTED = "triton_enable_empty_final_response";
const FINAL_FLAG = new Map([["triton_final_response", true]]);

/** Failures are small. */
const SMALL: Target = { allocate: (size) => Buffer.allocUnsafe(size) };

/** Open Inference Protocol v2. */
export function oipDialect(limits: GrpcLimits, typedResponses: TypedResponses = "never"): Dialect {
  return {
    decode: (bytes, receiver) => withoutReserved(decodeModelInferRequest(bytes, limits.codec, receiver)),
    encode: (response, { request, target }) =>
      isTypedResponse(request, typedResponses)
        ? encodeTypedInferResponse(response, target)
        : encodeModelInferResponse(response, target),
  };
}

/** Triton's ModelStreamInfer. Every response is the last one of its request; clients that ask for it get the flag that says so. */
export function oipStreamDialect(
  limits: GrpcLimits,
  typedResponses: TypedResponses = "never",
): StreamDialect {
  return {
    decode: (bytes, receiver) => withoutReserved(decodeModelInferRequest(bytes, limits.codec, receiver)),
    encode: (response, { request, target }) =>
      isTypedResponse(request, typedResponses)
        ? encodeTypedStreamInferResponse(withFinalFlag(response, request), target)
        : encodeModelStreamInferResponse(withFinalFlag(response, request), "", target),
    encodeFailure: ({ error, request }, message) =>
      encodeModelStreamInferResponse(
        nobody(request?.id ?? peekRequestId(message, limits.codec)),
        error.message,
        SMALL,
      ),
  };
}

/** MLServer's ModelStreamInfer: the answers of ModelInfer, one after another. */
export function plainStreamDialect(
  limits: GrpcLimits,
  typedResponses: TypedResponses = "never",
): StreamDialect {
  const { decode, encode } = oipDialect(limits, typedResponses);
  return {
    decode,
    encode: (response, parts) => encode({ ...response, ...withFinalFlag(response, parts.request) }, parts),
    encodeFailure: undefined,
  };
}

/** sconce.v1: answers carry their timings. */
export function predictDialect(limits: GrpcLimits): Dialect {
  return {
    decode: (bytes, receiver) => decodePredictRequest(bytes, limits.codec, receiver),
    encode: (response, { timeline, target }) =>
      encodePredictionResult(response, { timings: timings(timeline) }, target),
  };
}

/** sconce.v1's StreamPredict. One for each stream: a message without a model means the model of the message before it. */
export function predictStreamDialect(limits: GrpcLimits): StreamDialect {
  let model = "";
  let version: string | undefined;
  return {
    decode(bytes, receiver) {
      const name = (named: string, itsVersion: string | undefined): void => {
        model = named;
        version = itsVersion;
      };
      const request = decodePredictRequest(bytes, limits.codec, {
        late: receiver.late,
        onModel(named, itsVersion) {
          // The next message means this one's model, also when this one is rejected.
          name(named, itsVersion);
          receiver.onModel?.(named, itsVersion);
        },
      });
      if (request.model !== "") {
        name(request.model, request.version);
        return request;
      }
      version = request.version ?? version;
      return { ...request, model, version };
    },
    encode: (response, { timeline, target }) =>
      encodePredictionResult(response, { timings: timings(timeline) }, target),
    encodeFailure({ error, model: asked, request }, message) {
      const { code, reason } = error;
      const retryAfterMs = Math.ceil(error.retryAfterMs ?? 0);
      const answer = { ...nobody(request?.id ?? peekRequestId(message, limits.codec)), model: asked };
      return encodePredictionResult(
        answer,
        { error: { code, message: error.message, reason, retryAfterMs } },
        SMALL,
      );
    },
  };
}

/** A response of nobody, which only says whose request it belongs to. */
function nobody(id: string | undefined): WireResponse {
  return { model: "", version: "", id, parameters: NO_PARAMETERS, outputs: [] };
}

function withFinalFlag(response: InferResponse, request: WireRequest): WireResponse {
  if (request.parameters.get(FINAL_FLAG_WANTED) !== true) return response;
  return { ...response, parameters: new Map([...response.parameters, ...FINAL_FLAG]) };
}

/** Triton keeps `triton_*` to itself; a parameter of that name that nobody knows is a mistake. */
function withoutReserved(request: WireRequest): WireRequest {
  for (const name of request.parameters.keys()) {
    if (!name.startsWith("triton_") || name === FINAL_FLAG_WANTED) continue;
    throw new ServeError(
      "invalid_argument",
      `the parameter "${name}" is unknown, and names with triton_ are reserved`,
      {
        reason: "reserved_parameter",
      },
    );
  }
  return request;
}

/** The stages up to the response; encoding is not over yet. */
function timings(timeline: Timeline): number[] {
  return STAGES.filter((stage) => stage !== "encode").map((stage) => stageMs(timeline, stage));
}
