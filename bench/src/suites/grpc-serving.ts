import { fileURLToPath } from "node:url";
import { digitsTensor } from "../digits.ts";
import { grpcLoad } from "../grpc-load.ts";
import { inferMessage } from "../infer-message.ts";
import type { LoadResult } from "../load-result.ts";
import { processCpuMs } from "../process-cpu.ts";
import { type Servers, startServers } from "../servers.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";
import { takeTurns } from "../take-turns.ts";

const MODELS = fileURLToPath(new URL("../../../examples/models", import.meta.url));
const BARE = fileURLToPath(new URL("../bare-grpc.js", import.meta.url));
const PATH = "/inference.GRPCInferenceService/ModelInfer";
const SECONDS = 4;
const ROUNDS = 5;

export const grpcServing: Suite = {
  summary:
    "digits over gRPC ModelInfer, beside a bare node:http2 handler that takes any bytes, same client, taking turns",
  async run(print, options) {
    const servers = await startServers(BARE, MODELS, options);
    try {
      const rows: Record<string, string | number>[] = [];
      const data: unknown[] = [];
      for (const inFlight of [1, 32]) {
        const results = await compare(servers, inFlight);
        data.push({ inFlight, ...results });
        for (const [server, run] of Object.entries(results)) rows.push(rowOf(server, inFlight, run));
        const own = results["sconce"]!;
        for (const [server, its] of Object.entries(results).filter(([name]) => name !== "sconce")) {
          rows.push({
            server: `sconce / ${server}`,
            "in flight": inFlight,
            "req/s": own.requestsPerSecond / its.requestsPerSecond,
            "p50 ms": own.p50Ms - its.p50Ms,
            "p99 ms": own.p99Ms - its.p99Ms,
            "CPU µs": (own.cpuMicros ?? 0) - (its.cpuMicros ?? 0),
          });
        }
      }
      print(table(rows));
      return data;
    } finally {
      await servers.stop();
    }
  },
};

function rowOf(server: string, inFlight: number, run: LoadResult): Record<string, string | number> {
  return {
    server,
    "in flight": inFlight,
    "req/s": run.requestsPerSecond,
    "p50 ms": run.p50Ms,
    "p99 ms": run.p99Ms,
    "CPU µs": run.cpuMicros ?? 0,
  };
}

function compare(
  { urls, pids }: Pick<Servers, "urls" | "pids">,
  inFlight: number,
): Promise<Record<string, LoadResult>> {
  const load = { path: PATH, message: digitsRequest(), inFlight };
  return takeTurns(urls, {
    rounds: ROUNDS,
    async measure(url, round) {
      const pid = pids.get(url)!;
      const before = processCpuMs(pid);
      const run = await grpcLoad({ ...load, target: new URL(url).host, seconds: round === 0 ? 1 : SECONDS });
      if (run.failures > 0) throw new Error(`${url}: ${run.failures} requests failed`);
      return { ...run, cpuMicros: ((processCpuMs(pid) - before) * 1000) / run.requests };
    },
  });
}

function digitsRequest(): Uint8Array {
  return inferMessage("digits", [
    { name: "image", datatype: "FP32", shape: [1, 1, 8, 8], bytes: digitsTensor() },
  ]);
}
