/**
 * The generated messages and service descriptors. Kept apart from the hot codec: they load the protobuf runtime (40 ms), which a
 * starting server does not need.
 */
export * from "../gen/grpc/health/v1/health_pb.ts";
export {
  file_grpc_reflection_v1_reflection,
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "../gen/grpc/reflection/v1/reflection_pb.ts";
export { file_grpc_reflection_v1alpha_reflection } from "../gen/grpc/reflection/v1alpha/reflection_pb.ts";
export * from "../gen/inference/grpc_service_pb.ts";
export * as sconceV1 from "../gen/sconce/v1/model_serving_pb.ts";
export * as torchserveInference from "../gen/torchserve/inference_pb.ts";
export * as torchserveManagement from "../gen/torchserve/management_pb.ts";
