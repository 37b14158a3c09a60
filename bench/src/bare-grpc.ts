// The yardstick for gRPC: a `node:http2` server that takes any bytes and answers a constant of the size of a real answer. What is above it
// is ours, what it costs is Node's.
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";

const answer = Buffer.alloc(5 + 96, 1);
answer.writeUIntBE(96, 0, 5);
const server = createServer({ settings: { maxConcurrentStreams: 100 } });
server.on("stream", (stream) => {
  stream.on("error", () => {});
  stream.on("data", () => {});
  stream.on("end", () => {
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.end(answer);
  });
});
server.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.on("SIGTERM", () => process.exit(0));
