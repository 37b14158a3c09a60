// The yardstick of the peers: `node:http` that parses a JSON body and answers a constant of the same size, and nothing else.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const ANSWER = Buffer.from(
  JSON.stringify({
    model_name: "digits",
    model_version: "1",
    outputs: [
      {
        name: "probabilities",
        datatype: "FP32",
        shape: [1, 10],
        data: Array.from({ length: 10 }, () => 0.12345679),
      },
    ],
  }),
);

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    JSON.parse(Buffer.concat(chunks).toString());
    response.writeHead(200, { "content-type": "application/json", "content-length": ANSWER.length });
    response.end(ANSWER);
  });
});
server.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.on("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
});
