// A gRPC load generator in a process of its own: sends one pre-encoded message over and over, prints one JSON line.
// Arguments: target, method path, message as base64, requests kept in flight, seconds.
import { type Client, credentials, makeGenericClientConstructor } from "@grpc/grpc-js";

const [target = "", path = "", message = "", inFlight = "1", seconds = "1"] = process.argv.slice(2);
const payload = Buffer.from(message, "base64");
const GenericClient = makeGenericClientConstructor({}, "Load");
const client: Client = new GenericClient(target, credentials.createInsecure());
const asIs = (bytes: Buffer): Buffer => bytes;

const latenciesMs: number[] = [];
let failures = 0;
const startedMs = performance.now();
const endMs = startedMs + Number(seconds) * 1000;

function once(): Promise<void> {
  const sentMs = performance.now();
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, asIs, asIs, payload, (error) => {
      if (error !== null) failures += 1;
      latenciesMs.push(performance.now() - sentMs);
      resolve();
    });
  });
}

async function lane(): Promise<void> {
  while (performance.now() < endMs) await once();
}

await Promise.all(Array.from({ length: Number(inFlight) }, lane));
const elapsedMs = performance.now() - startedMs;
latenciesMs.sort((a, b) => a - b);
const at = (share: number): number =>
  latenciesMs[Math.min(latenciesMs.length - 1, Math.floor(latenciesMs.length * share))] ?? 0;
console.log(
  JSON.stringify({
    requests: latenciesMs.length,
    requestsPerSecond: (latenciesMs.length / elapsedMs) * 1000,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    failures,
  }),
);
client.close();
