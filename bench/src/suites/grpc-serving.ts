import { fileURLToPath } from "node:url";
import { isReady, startChildServer } from "../child-server.ts";
import { digitsTensor } from "../digits.ts";
import { grpcLoad } from "../grpc-load.ts";
import { type LoadResult, medianRun } from "../load-result.ts";
import { SCONCE } from "../sconce-command.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const MODELS = fileURLToPath(new URL("../../../examples/models", import.meta.url));
const BARE = fileURLToPath(new URL("../bare-grpc.js", import.meta.url));
const PATH = "/inference.GRPCInferenceService/ModelInfer";
const SECONDS = 4;
const ROUNDS = 3;

export const grpcServing: Suite = {
  summary:
    "digits over gRPC ModelInfer, beside a bare grpc-js method that takes any bytes, same client, taking turns",
  async run(print) {
    const sconce = await startChildServer(
      [...SCONCE, "serve", MODELS, "--port", "0", "--log-level", "error"],
      isReady,
    );
    const bare = await startChildServer([BARE]);
    try {
      const rows: Record<string, string | number>[] = [];
      const data: unknown[] = [];
      for (const inFlight of [1, 32]) {
        const pair = await compare({ sconce: sconce.url, bare: bare.url }, inFlight);
        data.push({ inFlight, ...pair });
        for (const [server, run] of Object.entries(pair)) {
          rows.push({
            server,
            "in flight": inFlight,
            "req/s": run.requestsPerSecond,
            "p50 ms": run.p50Ms,
            "p99 ms": run.p99Ms,
          });
        }
        rows.push({
          server: "sconce / bare",
          "in flight": inFlight,
          "req/s": pair.sconce.requestsPerSecond / pair.bare.requestsPerSecond,
          "p50 ms": pair.sconce.p50Ms - pair.bare.p50Ms,
          "p99 ms": pair.sconce.p99Ms - pair.bare.p99Ms,
        });
      }
      print(table(rows));
      return data;
    } finally {
      await Promise.all([sconce.stop(), bare.stop()]);
    }
  },
};

async function compare(
  urls: { readonly sconce: string; readonly bare: string },
  inFlight: number,
): Promise<{ sconce: LoadResult; bare: LoadResult }> {
  const runs: { sconce: LoadResult[]; bare: LoadResult[] } = { sconce: [], bare: [] };
  const load = { path: PATH, message: digitsRequest(), inFlight };
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of ["sconce", "bare"] as const) {
      const run = await grpcLoad({ ...load, target: new URL(urls[name]).host, seconds: SECONDS });
      if (run.failures > 0) throw new Error(`${name}: ${run.failures} requests failed`);
      runs[name].push(run);
    }
  }
  return { sconce: medianRun(runs.sconce), bare: medianRun(runs.bare) };
}

/** A ModelInferRequest for one digit: model_name = 1, inputs = 5 (name 1, datatype 2, shape 3), raw_input_contents = 7. */
function digitsRequest(): Uint8Array {
  const field = (number: number, bytes: Uint8Array): Buffer => {
    const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
    return Buffer.concat([Uint8Array.from([number * 8 + 2, ...length]), bytes]);
  };
  const tensor = Buffer.concat([
    field(1, Buffer.from("image")),
    field(2, Buffer.from("FP32")),
    field(3, Uint8Array.from([1, 1, 8, 8])),
  ]);
  return Buffer.concat([field(1, Buffer.from("digits")), field(5, tensor), field(7, digitsTensor())]);
}
