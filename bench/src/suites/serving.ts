import { fileURLToPath } from "node:url";
import { isReady, startChildServer } from "../child-server.ts";
import { digitsBody } from "../digits.ts";
import { httpLoad } from "../http-load.ts";
import { type LoadResult, medianRun } from "../load-result.ts";
import { SCONCE } from "../sconce-command.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const MODELS = fileURLToPath(new URL("../../../examples/models", import.meta.url));
const BARE = fileURLToPath(new URL("../bare-fastify.js", import.meta.url));
const SECONDS = 4;
const ROUNDS = 3;

export const serving: Suite = {
  summary:
    "digits over REST /predict, beside a bare Fastify route that only parses the same body, same client, taking turns",
  async run(print) {
    const sconce = await startChildServer(
      [...SCONCE, "serve", MODELS, "--port", "0", "--log-level", "error"],
      isReady,
    );
    const bare = await startChildServer([BARE]);
    try {
      const rows = [];
      const data = [];
      for (const connections of [1, 32]) {
        const pair = await compare({ sconce: sconce.url, bare: bare.url }, connections);
        data.push({ connections, ...pair });
        for (const [name, run] of Object.entries(pair)) rows.push(rowOf(name, run));
        rows.push({
          server: "sconce / bare",
          connections,
          "req/s": pair.sconce.requestsPerSecond / pair.bare.requestsPerSecond,
          "p50 ms": pair.sconce.p50Ms - pair.bare.p50Ms,
          "p99 ms": pair.sconce.p99Ms - pair.bare.p99Ms,
          failures: "",
        });
      }
      print(table(rows));
      print("(last row of each block: ratio of throughput, difference of latencies)");
      return data;
    } finally {
      await Promise.all([sconce.stop(), bare.stop()]);
    }
  },
};

async function compare(
  urls: { readonly sconce: string; readonly bare: string },
  connections: number,
): Promise<{ sconce: LoadResult; bare: LoadResult }> {
  const runs: { sconce: LoadResult[]; bare: LoadResult[] } = { sconce: [], bare: [] };
  const { body } = digitsBody();
  const load = { body: Buffer.from(body), headers: { "content-type": "application/json" }, connections };
  for (const name of ["sconce", "bare"] as const) {
    await httpLoad({ ...load, url: `${urls[name]}/predict/digits`, seconds: 1 });
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of ["sconce", "bare"] as const) {
      runs[name].push(await httpLoad({ ...load, url: `${urls[name]}/predict/digits`, seconds: SECONDS }));
    }
  }
  return { sconce: medianRun(runs.sconce), bare: medianRun(runs.bare) };
}

function rowOf(server: string, run: LoadResult): Record<string, string | number> {
  return {
    server,
    connections: run.connections,
    "req/s": run.requestsPerSecond,
    "p50 ms": run.p50Ms,
    "p99 ms": run.p99Ms,
    failures: run.failures,
  };
}
