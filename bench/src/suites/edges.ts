import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { unary } from "@sconce/conformance/internals/tiny-onnx";
import { type ChildServer, isReady, startChildServer } from "../child-server.ts";
import { digitsBody, digitsTensor } from "../digits.ts";
import { grpcLoad } from "../grpc-load.ts";
import { httpLoad } from "../http-load.ts";
import { inferMessage } from "../infer-message.ts";
import type { LoadResult } from "../load-result.ts";
import { median } from "../median.ts";
import { processCpuMs } from "../process-cpu.ts";
import { SCONCE } from "../sconce-command.ts";
import type { Suite } from "../suite.ts";
import { table } from "../table.ts";

const DIGITS = fileURLToPath(new URL("../../../examples/models/digits.pt2", import.meta.url));
const ROUNDS = 3;
const SECONDS = 3;
/** Machines whose load is reckoned. */
const CORES = [4, 16, 64] as const;
const JSON_TYPE = { "content-type": "application/json" };

interface Case {
  readonly name: string;
  /** Loads a server for some seconds. */
  load(url: string): Promise<LoadResult>;
}

/** Processor time per request, in microseconds. */
interface Cost {
  readonly server: number;
  readonly edges: number;
  readonly workers: number;
  readonly perSecond: number;
}

/** What a request costs the processes of a server with one front and with several, and what machines of more cores would carry by these figures. */
export const edges: Suite = {
  summary:
    "--edges: processor time per request of the server process, edge processes and workers, and the load that 4, 16 and 64 cores would carry",
  async run(print, { only = "" }) {
    const folder = mkdtempSync(join(tmpdir(), "sconce-edges-"));
    copyFileSync(DIGITS, join(folder, "digits.pt2"));
    writeFileSync(join(folder, "image.onnx"), imageModel());
    const [one, two] = [await start(folder, 1), await start(folder, 2)];
    try {
      const data: object[] = [];
      for (const wanted of cases().filter(({ name }) => name.includes(only))) {
        const costs = { one: [] as Cost[], two: [] as Cost[] };
        // The first round warms up.
        for (let round = 0; round <= ROUNDS; round++) {
          for (const [server, into] of [
            [one, costs.one],
            [two, costs.two],
          ] as const) {
            const cost = await measure(server, wanted);
            if (round > 0) into.push(cost);
          }
        }
        const [alone, shared] = [middle(costs.one), middle(costs.two)];
        print(table([row(`${wanted.name}, --edges 1`, alone), row(`${wanted.name}, --edges 2`, shared)]));
        const loads = CORES.map((cores) => reckoned(cores, alone, shared));
        print(table(loads));
        data.push({ case: wanted.name, alone, shared, loads });
      }
      return data;
    } finally {
      await Promise.all([one.stop(), two.stop()]);
      rmSync(folder, { recursive: true });
    }
  },
};

/** The mean of each channel: next to no work, so that what is measured is the way there. */
function imageModel(): Uint8Array {
  const dims = ["n", 3, 224, 224];
  return unary(
    "GlobalAveragePool",
    { name: "x", type: "FP32", dims },
    { type: "FP32", dims: ["n", 3, 1, 1] },
  );
}

function cases(): readonly Case[] {
  const pixels = Array.from({ length: 3 * 224 * 224 }, (_, i) => ((i * 7919) % 1000) / 1000);
  const image = { name: "x", datatype: "FP32", shape: [1, 3, 224, 224], data: pixels };
  const rest = (path: string, body: string, connections: number) => (url: string) =>
    httpLoad({ url: url + path, body: Buffer.from(body), headers: JSON_TYPE, connections, seconds: SECONDS });
  const message = inferMessage("digits", [
    { name: "image", datatype: "FP32", shape: [1, 1, 8, 8], bytes: digitsTensor() },
  ]);
  return [
    { name: "digits JSON", load: rest("/predict/digits", digitsBody().body, 64) },
    {
      name: "digits gRPC",
      load: (url) =>
        grpcLoad({
          target: new URL(url).host,
          path: "/inference.GRPCInferenceService/ModelInfer",
          message,
          inFlight: 32,
          seconds: SECONDS,
        }),
    },
    { name: "image JSON", load: rest("/v2/models/image/infer", JSON.stringify({ inputs: [image] }), 8) },
  ];
}

function start(folder: string, count: number): Promise<ChildServer> {
  const args = ["serve", folder, "--port", "0", "--log-level", "error", "--edges", String(count)];
  return startChildServer([...SCONCE, ...args], isReady);
}

async function measure({ url, pid }: ChildServer, { load }: Case): Promise<Cost> {
  const children = childrenOf(pid);
  const edgePids = children.filter((child) => commandOf(child).includes("edge-main"));
  const workerPids = children.filter((child) => !edgePids.includes(child));
  const read = (): readonly number[] => [
    processCpuMs(pid),
    edgePids.reduce((sum, edge) => sum + processCpuMs(edge), 0),
    workerPids.reduce((sum, worker) => sum + processCpuMs(worker), 0),
  ];
  const before = read();
  const { requests, requestsPerSecond, failures } = await load(url);
  if (failures > 0) throw new Error(`${failures} requests failed`);
  const [server = 0, ofEdges = 0, workers = 0] = read().map((ms, i) => ((ms - before[i]!) * 1000) / requests);
  return { server, edges: ofEdges, workers, perSecond: requestsPerSecond };
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8")
      .trim()
      .split(" ")
      .filter(Boolean)
      .map(Number),
  );
}

function commandOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8");
}

function middle(costs: readonly Cost[]): Cost {
  const of = (key: keyof Cost): number => median(costs.map((cost) => cost[key]));
  return { server: of("server"), edges: of("edges"), workers: of("workers"), perSecond: of("perSecond") };
}

function row(name: string, { server, edges: ofEdges, workers, perSecond }: Cost) {
  return {
    case: name,
    "server µs": server,
    "edges µs": ofEdges,
    "workers µs": workers,
    "req/s here": Math.round(perSecond),
  };
}

/** With one thread for the server process, and the others for edge processes and workers in the best proportion. Clients are elsewhere. */
function reckoned(cores: number, alone: Cost, shared: Cost) {
  const perSecond = (micros: number, threads: number): number =>
    micros === 0 ? Number.POSITIVE_INFINITY : (threads * 1e6) / micros;
  const one = Math.min(perSecond(alone.server, 1), perSecond(alone.workers, cores - 1));
  let best = { count: 1, load: one };
  for (let count = 2; count < cores - 1; count++) {
    const load = Math.min(
      perSecond(shared.server, 1),
      perSecond(shared.edges, count),
      perSecond(shared.workers, cores - 1 - count),
    );
    if (load > best.load) best = { count, load };
  }
  return {
    cores,
    "--edges 1: req/s": Math.round(one),
    "best --edges": best.count,
    "req/s": Math.round(best.load),
  };
}
