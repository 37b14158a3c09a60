// The yardstick for gRPC: a grpc-js method that takes any bytes and answers a constant of the size of a real answer.
import { Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";

const asIs = (bytes: Buffer): Buffer => bytes;
const answer = Buffer.alloc(96, 1);
const server = new Server();
const service = {
  ModelInfer: {
    path: "/inference.GRPCInferenceService/ModelInfer",
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
};
const implementation: UntypedServiceImplementation = {
  ModelInfer: (_call: unknown, callback: (error: null, value: Buffer) => void) => callback(null, answer),
};
server.addService(service, implementation);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (_error, port) => {
  console.log(`http://127.0.0.1:${port}`);
});
process.on("SIGTERM", () => server.forceShutdown());
