/**
 * The generated messages and service descriptors. Kept apart from the hot codec: they load the protobuf runtime (40 ms), which a
 * starting server does not need.
 */
export * from "../gen/grpc/health/v1/health_pb.ts";
export * from "../gen/inference/grpc_service_pb.ts";
export * as sconceV1 from "../gen/sconce/v1/model_serving_pb.ts";
