import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { identifiedTree, signalAll } from "../process-tree.ts";
import type { AbsentCause, LiveCause } from "./why-cause.ts";
import { askUntil, type ClientManner } from "./why-clients.ts";
import { layersModel, lengthsModel, productsModel, quickModel, wideModel } from "./why-models.ts";

const NUMBERS = 4096;
const QUICK: ClientManner = { path: "/predict/quick", body: () => inputOf(NUMBERS) };
const LAYERS: ClientManner = { path: "/predict/layers", body: () => inputOf(1024) };
/** More than there are clients: two of one size are seldom there at once. */
const SIZES = 101;
const LENGTHS: ClientManner = {
  path: "/predict/lengths",
  body: (round) => inputOf(1 + (round % SIZES)),
  clients: 16,
};
const WIDE: ClientManner = {
  path: "/predict/wide",
  body: () => JSON.stringify({ input: [[1]] }),
  headers: { "accept-encoding": "gzip" },
};
/** Of all workers, the spare one too: with five within a minute the server gives up. */
const DEATHS = 2;
const BETWEEN_DEATHS_MS = 2000;

function inputOf(numbers: number): string {
  return JSON.stringify({ input: [Array.from({ length: numbers }, (_, i) => i % 7)] });
}

/** Caused by what clients do, or by what happens while they do it. */
export const LIVE_CAUSES: readonly LiveCause[] = [
  {
    kind: "live",
    id: "connection_per_request",
    serve: (folder) => [quickModel(folder, "quick", ["batch", 4])],
    model: "quick",
    manner: { ...QUICK, body: () => inputOf(4), isHasty: true },
    mended: { ...QUICK, body: () => inputOf(4) },
  },
  {
    kind: "live",
    id: "one_at_a_time",
    serve: (folder) => [
      layersModel(folder, "layers", { dims: ["batch", 1024], width: 1024, layers: 6 }),
      "--threads",
      "1",
    ],
    model: "layers",
    manner: LAYERS,
    mended: { ...LAYERS, clients: 16 },
    gainOf: "perSecond",
  },
  {
    kind: "live",
    id: "shapes_differ",
    serve: (folder) => [lengthsModel(folder, "lengths"), "--threads", "1"],
    model: "lengths",
    manner: LENGTHS,
    mended: { ...LENGTHS, body: () => inputOf(SIZES) },
  },
  {
    kind: "live",
    id: "costly_compression",
    serve: (folder) => [wideModel(folder, "wide", 40_000)],
    model: "wide",
    manner: WIDE,
    mended: { ...WIDE, headers: { "accept-encoding": "identity" } },
  },
  {
    kind: "live",
    id: "slow_bodies",
    serve: (folder) => [quickModel(folder, "quick", ["batch", NUMBERS])],
    model: "quick",
    manner: { ...QUICK, pauseMs: 20 },
    mended: QUICK,
  },
  {
    kind: "live",
    id: "outside_server",
    serve: (folder) => [quickModel(folder, "quick", ["batch", 4])],
    model: "quick",
    whyArgs: ["--load", "--connections", "1"],
    wayMs: 10,
  },
  {
    kind: "live",
    id: "cold_start",
    serve: (folder) => {
      layersModel(folder, "layers", { dims: ["batch", 1024], width: 1024, layers: 24 });
      return [folder, "--lazy-loading"];
    },
    model: "layers",
    manner: LAYERS,
    startsLate: true,
  },
  {
    kind: "live",
    id: "slowest_step",
    serve: (folder) => {
      quickModel(folder, "first", ["batch", 256, 1]);
      productsModel(folder, "second");
      mkdirSync(join(folder, "both"));
      writeFileSync(
        join(folder, "both", "model.yaml"),
        "pipeline:\n  steps:\n    - {model: first, outputs: {y: h}}\n    - {model: second, inputs: {x: h}}\n  outputs: [y]\n",
      );
      return [folder];
    },
    model: "both",
    whyArgs: ["--load", "--connections", "1", "--protocol", "binary"],
  },
  {
    kind: "live",
    id: "event_loop_late",
    serve: (folder) => {
      quickModel(folder, "quick", ["batch", "n"]);
      quickModel(folder, "other", ["batch", "n"]);
      return [folder];
    },
    model: "quick",
    manner: { ...QUICK, body: () => inputOf(4) },
    meanwhile: async ({ url }, signal) => {
      const large = inputOf(2_000_000);
      await askUntil(url, { path: "/predict/other", body: () => large }, signal);
    },
  },
  {
    kind: "live",
    id: "runs_repeated",
    serve: (folder) => [productsModel(folder, "products")],
    model: "products",
    manner: {
      path: "/predict/products",
      body: () => JSON.stringify({ input: [Array(256).fill([1])] }),
      clients: 4,
    },
    meanwhile: async ({ pid }, signal) => {
      for (let i = 0; i < DEATHS && !signal.aborted; i++) {
        await sleep(BETWEEN_DEATHS_MS);
        signalAll(identifiedTree(pid).slice(1), "SIGKILL");
      }
    },
  },
];

export const ABSENT_CAUSES: readonly AbsentCause[] = [
  { kind: "absent", id: "cpu_throttled", why: "needs a container with a CPU quota" },
  { kind: "absent", id: "memory_near_limit", why: "needs a container with a memory limit" },
  { kind: "absent", id: "noisy_neighbour", why: "needs a hypervisor that is short of processors" },
  { kind: "absent", id: "machine_busy", why: "needs a machine that has been busy for minutes" },
];
