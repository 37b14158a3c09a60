import { randomUUID } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { torchserveInference } from "@sconce/protocol/messages";
import { ServeError } from "../../base/errors.ts";
import { NO_PARAMETERS, type ResponsePiece } from "../../base/infer-request.ts";
import type { Inference } from "../../infer/inference.ts";
import {
  handlerInputs,
  handlerPiece,
  handlerResponse,
  SEQUENCE_ID,
  takesAnyBody,
} from "../torchserve/handler-call.ts";
import { plainVersion } from "../torchserve/management.ts";
import { failing, failureOverGrpc } from "../torchserve/torchserve-failure.ts";
import type { StreamDialect } from "./dialects.ts";
import type { Dialect } from "./inquiry.ts";
import { decodeMessage } from "./server-handlers.ts";
import { statusNumber } from "./status.ts";

const { PredictionsRequestSchema, PredictionResponseSchema, TorchServeHealthResponseSchema } =
  torchserveInference;

export function encodePing(isReady: boolean): Uint8Array {
  const health = JSON.stringify({ status: isReady ? "Healthy" : "Unhealthy" }, undefined, 2);
  return toBinary(TorchServeHealthResponseSchema, create(TorchServeHealthResponseSchema, { health }));
}

/** TorchServe's PredictionsRequest and PredictionResponse, of archives. */
export function predictionsDialect(
  inference: Inference,
  { inPieces }: { readonly inPieces: boolean },
): Dialect {
  return {
    decode(bytes, receiver) {
      const {
        modelName: model,
        modelVersion,
        input,
        sequenceId,
      } = decodeMessage(PredictionsRequestSchema, bytes);
      const version = plainVersion(modelVersion === "" ? undefined : modelVersion);
      receiver.onModel?.(model, version);
      requireHandler(inference, model, version);
      const fields = Object.entries(input).map(([name, value]) => ({
        name,
        type: "",
        bytes: Buffer.from(value),
      }));
      const headers: Record<string, string> = sequenceId === undefined ? {} : { [SEQUENCE_ID]: sequenceId };
      const inputs = handlerInputs(fields, { id: randomUUID(), headers, inPieces });
      return {
        model,
        version,
        id: undefined,
        parameters: headers[SEQUENCE_ID] ? new Map([["sequence_id", headers[SEQUENCE_ID]]]) : NO_PARAMETERS,
        inputs,
        outputs: undefined,
        timeoutMs: 0,
      };
    },
    encode(response, { target }) {
      const { status, body, isRefusal } = handlerResponse(response);
      if (isRefusal)
        throw failing({
          code: status,
          type: "InternalServerException",
          message: Buffer.from(body).toString(),
        });
      const message = toBinary(
        PredictionResponseSchema,
        create(PredictionResponseSchema, { prediction: body }),
      );
      const block = target.allocate(message.length);
      block.set(message);
      return block;
    },
  };
}

/** The messages of a sequence: what fails is an answer with a status, and the stream goes on. */
export function sequenceDialect(inference: Inference): StreamDialect {
  const dialect = predictionsDialect(inference, { inPieces: false });
  return {
    encode: dialect.encode,
    decode(bytes, receiver) {
      const { sequenceId } = decodeMessage(PredictionsRequestSchema, bytes);
      if (sequenceId !== undefined && sequenceId !== "") return dialect.decode(bytes, receiver);
      throw failing({
        code: 400,
        type: "BadRequestException",
        message: "Parameter sequenceId is required.",
      });
    },
    encodeFailure({ error }) {
      const said = failureOverGrpc(error);
      // Its last line is TorchServe's name of the error, which is a detail here.
      const [message = ""] = said.message.split("\norg.pytorch.serve.");
      const status = { code: statusNumber(said.code), message };
      return toBinary(PredictionResponseSchema, create(PredictionResponseSchema, { status }));
    },
  };
}

/** A piece of an answer as a message. */
export function encodePiece(piece: ResponsePiece): Uint8Array {
  const { body } = handlerPiece(piece);
  return toBinary(PredictionResponseSchema, create(PredictionResponseSchema, { prediction: body }));
}

function requireHandler(inference: Inference, model: string, version: string | undefined): void {
  const inputs = inference.loadedInputs(model, version);
  if (inputs === undefined || takesAnyBody(inputs)) return;
  throw new ServeError(
    "unimplemented",
    `model ${JSON.stringify(model.slice(0, 80))} is no archive with a handler: ask it by inference.GRPCInferenceService`,
    { reason: "unsupported_extension" },
  );
}
