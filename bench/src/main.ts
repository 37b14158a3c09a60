import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Suite } from "./suite.ts";
import { batching } from "./suites/batching.ts";
import { checks } from "./suites/checks.ts";
import { coldStart } from "./suites/cold-start.ts";
import { edges } from "./suites/edges.ts";
import { grpcServing } from "./suites/grpc-serving.ts";
import { json } from "./suites/json.ts";
import { load } from "./suites/load.ts";
import { loading } from "./suites/loading.ts";
import { manyModels } from "./suites/many-models.ts";
import { peers } from "./suites/peers.ts";
import { profile } from "./suites/profile.ts";
import { quantized } from "./suites/quantized.ts";
import { running } from "./suites/running.ts";
import { scaling } from "./suites/scaling.ts";
import { security } from "./suites/security.ts";
import { serving } from "./suites/serving.ts";
import { stages } from "./suites/stages.ts";
import { tasks } from "./suites/tasks.ts";
import { torchserve } from "./suites/torchserve.ts";
import { tracing } from "./suites/tracing.ts";
import { tune } from "./suites/tune.ts";
import { why } from "./suites/why.ts";

const SUITES: Readonly<Record<string, Suite>> = {
  serving,
  "grpc-serving": grpcServing,
  "cold-start": coldStart,
  load,
  loading,
  "many-models": manyModels,
  running,
  scaling,
  quantized,
  batching,
  stages,
  checks,
  security,
  json,
  tasks,
  peers,
  profile,
  edges,
  torchserve,
  tracing,
  tune,
  why,
};

const { values, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: {
    before: { type: "string" },
    only: { type: "string" },
    peers: { type: "string" },
    quick: { type: "boolean" },
    curve: { type: "string" },
  },
});
const unknown = wanted.filter((name) => !Object.hasOwn(SUITES, name));
if (unknown.length > 0) {
  console.error(`unknown benchmark ${unknown.join(", ")}; there are: ${Object.keys(SUITES).join(", ")}`);
  process.exit(2);
}

const results = fileURLToPath(new URL("../results/", import.meta.url));
mkdirSync(results, { recursive: true });
const machine = {
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
};
for (const name of wanted.length > 0 ? wanted : Object.keys(SUITES)) {
  console.log(`\n${name}: ${SUITES[name]!.summary}`);
  const data = await SUITES[name]!.run((line) => console.log(line), {
    before: values.before,
    only: values.only,
    isQuick: values.quick ?? false,
    peers: values.peers,
    curve: values.curve,
  });
  writeFileSync(`${results}${name}.json`, `${JSON.stringify({ name, machine, data }, null, 2)}\n`);
}
console.log(`\nJSON: bench/results/`);
