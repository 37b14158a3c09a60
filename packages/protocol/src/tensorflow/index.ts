/** TensorFlow Serving's gRPC: a hot codec for Predict, generated messages for the rest. Apart from the others, so that who does not speak it does not load it. */
export * from "../gen/tensorflow/serving/serving_pb.ts";
export {
  checkSignature,
  decodeTensorflowPredict,
  encodeTensorflowPredict,
  rejectLabel,
  SIGNATURE_NAME,
  TYPE_OF,
} from "./tensorflow-predict.ts";
