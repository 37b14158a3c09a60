import { decodeTensorflowPredict, encodeTensorflowPredict } from "@sconce/protocol/tensorflow";
import type { GrpcLimits } from "./grpc-limits.ts";
import type { Dialect } from "./inquiry.ts";

/** TensorFlow Serving's Predict. */
export function tensorflowDialect({ codec, maxReceiveBytes }: GrpcLimits): Dialect {
  return {
    decode: (bytes, receiver) =>
      decodeTensorflowPredict(bytes, { limits: codec, maxBytes: maxReceiveBytes }, receiver),
    encode: (response, { target }) => encodeTensorflowPredict(response, target),
  };
}
