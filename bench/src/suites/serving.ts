import { fileURLToPath } from "node:url";
import { digitsBody } from "../digits.ts";
import { httpLoad } from "../http-load.ts";
import type { LoadResult } from "../load-result.ts";
import { startServers } from "../servers.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";
import { takeTurns } from "../take-turns.ts";

const MODELS = fileURLToPath(new URL("../../../examples/models", import.meta.url));
const BARE = fileURLToPath(new URL("../bare-fastify.js", import.meta.url));
const SECONDS = 4;
const ROUNDS = 5;

export const serving: Suite = {
  summary:
    "digits over REST /predict, beside a bare Fastify route that only parses the same body, same client, taking turns",
  async run(print, options) {
    const servers = await startServers(BARE, MODELS, options);
    try {
      const rows = [];
      const data = [];
      for (const connections of [1, 32]) {
        const results = await compare(servers.urls, connections);
        data.push({ connections, ...results });
        for (const [name, run] of Object.entries(results)) rows.push(rowOf(name, run));
        for (const other of Object.keys(results).filter((name) => name !== "sconce")) {
          rows.push(ratioOf(other, results["sconce"]!, results[other]!));
        }
      }
      print(table(rows));
      print("(sconce / …: ratio of throughput, difference of latencies)");
      return data;
    } finally {
      await servers.stop();
    }
  },
};

function compare(
  urls: Readonly<Record<string, string>>,
  connections: number,
): Promise<Record<string, LoadResult>> {
  const { body } = digitsBody();
  const load = { body: Buffer.from(body), headers: { "content-type": "application/json" }, connections };
  return takeTurns(urls, {
    rounds: ROUNDS,
    measure: (url, round) =>
      httpLoad({ ...load, url: `${url}/predict/digits`, seconds: round === 0 ? 1 : SECONDS }),
  });
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

function ratioOf(other: string, own: LoadResult, its: LoadResult): Record<string, string | number> {
  return {
    server: `sconce / ${other}`,
    connections: own.connections,
    "req/s": own.requestsPerSecond / its.requestsPerSecond,
    "p50 ms": own.p50Ms - its.p50Ms,
    "p99 ms": own.p99Ms - its.p99Ms,
    failures: "",
  };
}
