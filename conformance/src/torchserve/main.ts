// `node conformance/dist/torchserve/main.js`: asks the real TorchServe the recorded calls, and writes its answers. Needs Java 17 and, the first
// time, the Python index. `… configured`: the same of servers with a config.properties. `… workflows`: the same of workflows. `… metrics`: what becomes of
// the numbers that a handler reports, and continuousBatching. `… faults ROUNDS`: procedure F21, on this server.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startTorchserve, torchservePython } from "../internals/real-torchserve.ts";
import { ask } from "./ask.ts";
import { askConfigured } from "./ask-configured.ts";
import { torchserveClients } from "./ask-grpc.ts";
import { configuredCalls, configuredProperties, RECORDED_ENVELOPES } from "./configured-calls.ts";
import { CONTINUOUS_CALLS } from "./continuous-calls.ts";
import { GRPC_CALLS } from "./grpc-calls.ts";
import { handlerFaults } from "./handler-faults.ts";
import { inferenceCalls } from "./inference-calls.ts";
import { managementCalls } from "./management-calls.ts";
import { measuredMetrics } from "./measured-metrics.ts";
import type { Recorded } from "./recorded-call.ts";
import { WORKFLOW_CALLS } from "./workflow-calls.ts";

const MODELS = fileURLToPath(new URL("../../../scripts/python/torchserve_models.py", import.meta.url));
const ANSWERS = fileURLToPath(new URL("../../fixtures/torchserve-answers.json", import.meta.url));
const CONFIGURED = fileURLToPath(new URL("../../fixtures/torchserve-configured.json", import.meta.url));
const METRICS = fileURLToPath(new URL("../../fixtures/torchserve-metrics.json", import.meta.url));
const WORKFLOWS = fileURLToPath(new URL("../../../scripts/python/torchserve_workflows.py", import.meta.url));
const WORKFLOW_ANSWERS = fileURLToPath(new URL("../../fixtures/torchserve-workflows.json", import.meta.url));
const FIRST_PORT = 18_080;

async function record(): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "sconce-torchserve-"));
  const store = join(home, "store");
  const python = await torchservePython();
  await promisify(execFile)(python, ["-W", "ignore", MODELS, store, "--archiver"]);
  const server = await startTorchserve(python, store, { home, firstPort: FIRST_PORT });
  try {
    const recorded: Recorded[] = [];
    for (const call of managementCalls(inferenceCalls(store)))
      recorded.push({ call: call.name, answers: await ask(call, server.addresses) });
    const clients = torchserveClients(server.grpc);
    const grpc = [];
    for (const call of GRPC_CALLS) grpc.push({ call: call.name, answer: await clients.ask(call) });
    clients.close();
    const lines = (all: readonly object[]): string => all.map((one) => JSON.stringify(one)).join(",\n");
    writeFileSync(
      ANSWERS,
      `{ "torchserve": "0.12.0", "recorded": [\n${lines(recorded)}\n], "grpc": [\n${lines(grpc)}\n] }\n`,
    );
    console.log(`${recorded.length} calls and ${grpc.length} over gRPC: ${ANSWERS}`);
  } finally {
    await server.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

/** The answers of servers with a config.properties: tokens, and one envelope each. */
async function recordConfigured(): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "sconce-torchserve-"));
  const store = join(home, "store");
  const python = await torchservePython();
  await promisify(execFile)(python, ["-W", "ignore", MODELS, store, "--archiver"]);
  const worlds: Record<string, readonly Recorded[]> = {};
  try {
    for (const envelope of RECORDED_ENVELOPES) {
      const settings = configuredProperties(envelope);
      const server = await startTorchserve(python, store, { home, firstPort: FIRST_PORT, settings });
      try {
        const keyFile = join(home, "key_file.json");
        const { addresses } = server;
        worlds[envelope] = await askConfigured(configuredCalls(envelope), { addresses, keyFile });
      } finally {
        await server.stop();
      }
    }
    const shown = Object.entries(worlds).map(([envelope, recorded]) => {
      const lines = recorded.map((one) => JSON.stringify(one)).join(",\n");
      return `${JSON.stringify(envelope)}: [\n${lines}\n]`;
    });
    writeFileSync(CONFIGURED, `{ "torchserve": "0.12.0", ${shown.join(",\n")} }\n`);
    console.log(CONFIGURED);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function recordWorkflows(): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "sconce-torchserve-"));
  const store = join(home, "store");
  const python = await torchservePython();
  await promisify(execFile)(python, [WORKFLOWS, store]);
  const settings = `workflow_store=${store}\n`;
  const server = await startTorchserve(python, store, { home, firstPort: FIRST_PORT, settings });
  try {
    const recorded: Recorded[] = [];
    for (const call of WORKFLOW_CALLS)
      recorded.push({ call: call.name, answers: await ask(call, server.addresses) });
    const lines = recorded.map((one) => JSON.stringify(one)).join(",\n");
    writeFileSync(WORKFLOW_ANSWERS, `{ "torchserve": "0.12.0", "recorded": [\n${lines}\n] }\n`);
    console.log(`${recorded.length} calls: ${WORKFLOW_ANSWERS}`);
  } finally {
    await server.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

/** What the metrics of a handler become, and what one with continuousBatching answers. */
async function recordMetrics(): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "sconce-torchserve-"));
  const store = join(home, "store");
  const python = await torchservePython();
  await promisify(execFile)(python, ["-W", "ignore", MODELS, store, "--archiver"]);
  const settings = `metrics_mode=prometheus\nmodel_metrics_auto_detect=true\nmetrics_config=${join(store, "metrics.yaml")}\n`;
  const server = await startTorchserve(python, store, { home, firstPort: FIRST_PORT, settings });
  try {
    const shown = await measuredMetrics(server.addresses);
    const lines = shown.map((line) => JSON.stringify(line)).join(",\n");
    const recorded: Recorded[] = [];
    for (const call of CONTINUOUS_CALLS)
      recorded.push({ call: call.name, answers: await ask(call, server.addresses) });
    const asked = recorded.map((one) => JSON.stringify(one)).join(",\n");
    writeFileSync(
      METRICS,
      `{ "torchserve": "0.12.0", "metrics": [\n${lines}\n], "continuous": [\n${asked}\n] }\n`,
    );
    console.log(METRICS);
  } finally {
    await server.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

async function faults(rounds: number): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "sconce-faults-"));
  try {
    console.log(
      JSON.stringify(await handlerFaults(await torchservePython(), { home, rounds }), undefined, 2),
    );
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

const [command, rounds] = process.argv.slice(2);
if (command === "faults") await faults(Number(rounds ?? 1));
else if (command === "configured") await recordConfigured();
else if (command === "metrics") await recordMetrics();
else if (command === "workflows") await recordWorkflows();
else await record();
