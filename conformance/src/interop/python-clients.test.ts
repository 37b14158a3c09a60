// Tests the built server with grpcio and tritonclient, which share nothing with the clients of the other tests.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { encodeModel } from "@sconce/torch";
import { MODELS_FOLDER } from "../expected-digits.ts";
import { programOrReason } from "../program.ts";
import { runPython } from "../python.ts";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import { startCollector } from "../tracing/otlp-collector.kit.ts";

const scriptPath = (name: string): string =>
  fileURLToPath(new URL(`../../../scripts/${name}`, import.meta.url));

interface Cases {
  readonly least: number;
  /** Of the environment that the script runs in. Default: the one of tritonclient. */
  readonly requirements?: string;
  /** Default: the example's. */
  readonly models?: string;
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments of the script behind the server's address. */
  readonly args?: readonly string[];
  /** What is looked at when the script is done. */
  readonly after?: (server: ServerProcess) => Promise<void>;
}

async function checkCases(
  t: TestContext,
  script: string,
  { least, models = MODELS_FOLDER, flags = [], env: serverEnv = {}, args: more = [], ...how }: Cases,
): Promise<void> {
  // Small: no PyTorch is in it.
  const { requirements = "grpc-requirements.txt" } = how;
  const args = [scriptPath("python-env.mjs"), scriptPath(`python/${requirements}`)];
  const env = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (env.status !== 0) {
    t.skip(`needs ${requirements}: ${env.stdout.trim()}`);
    return;
  }
  const server = await startServerProcess([models, "--log-level", "error", ...flags], { env: serverEnv });
  t.after(() => server.stop());
  const output = await runPython(env.stdout.trim(), [
    scriptPath(`python/${script}`),
    server.authority,
    ...more,
  ]);
  const { cases, wrong } = JSON.parse(output) as { readonly cases: number; readonly wrong: object };
  assert.deepEqual(wrong, {});
  assert.ok(cases >= least, `${cases} cases`);
  await how.after?.(server);
}

test("gRPC's interoperability cases and Triton's own client, from Python", { timeout: 600_000 }, (t) =>
  checkCases(t, "grpc_clients.py", { least: 11 }),
);

test("what Triton's examples ask, from Python over REST and gRPC", { timeout: 600_000 }, (t) =>
  checkCases(t, "triton_clients.py", { least: 9 }),
);

test("tensors in shared memory, from Python over REST and gRPC", { timeout: 600_000 }, (t) =>
  checkCases(t, "triton_memory.py", { least: 5, flags: ["--shared-memory", "system"] }),
);

/** An ONNX file: two texts of a row in, the same out. */
const TEXT_MODEL =
  "CAo6SQoQCgF4EgF5IghJZGVudGl0eRIBZ1oYCgF4EhMKEQgIEg0KBxIFYmF0Y2gKAggCYhgKAXkSEwoRCAgSDQoHEgViYXRjaAoCCAJCBAoAEBU=";

test("KServe's own client, and Triton's perf_analyzer with shared memory, a stream and traces", {
  timeout: 600_000,
}, async (t) => {
  const models = mkdtempSync(join(tmpdir(), "peer-calls-"));
  t.after(() => rmSync(models, { recursive: true }));
  copyFileSync(join(MODELS_FOLDER, "digits.pt2"), join(models, "digits.pt2"));
  writeFileSync(join(models, "text.onnx"), Buffer.from(TEXT_MODEL, "base64"));
  const collector = await startCollector();
  t.after(() => collector.close());
  const { path: library, skip } = programOrReason("libb64.so.0d");
  if (library === undefined) t.diagnostic(`without perf_analyzer: ${skip}`);
  await checkCases(t, "peer_clients.py", {
    least: library === undefined ? 3 : 9,
    requirements: "peer-requirements.txt",
    models,
    flags: [
      ...["--shared-memory", "system", "--traces-endpoint", collector.httpUrl],
      ...["--trace-sampling", "0%", "--allow-trace-settings"],
    ],
    args: [library === undefined ? "" : dirname(library)],
    async after(server) {
      // What waits is exported when the server stops.
      await server.stop();
      const asked = collector.spans.filter(({ kind }) => kind === "SPAN_KIND_SERVER");
      assert.equal(asked.length, library === undefined ? 0 : 3, "as many as --trace-count lets");
    },
  });
});

/** What makes `digits` an ensemble under Triton's kind of names. */
const ENSEMBLE = `platform: "ensemble"
max_batch_size: 16
input [ { name: "IMAGE" data_type: TYPE_FP32 dims: [ 1, 8, 8 ] } ]
output [ { name: "CLASSES" data_type: TYPE_FP32 dims: [ 10 ] } ]
ensemble_scheduling {
  step [ {
    model_name: "digits"
    model_version: -1
    input_map { key: "image" value: "IMAGE" }
    output_map { key: "probabilities" value: "CLASSES" }
  } ]
}
`;

test("all that tritonclient can do, over REST and gRPC, plain and asyncio", {
  timeout: 600_000,
}, async (t) => {
  const models = mkdtempSync(join(tmpdir(), "triton-calls-"));
  t.after(() => rmSync(models, { recursive: true }));
  copyFileSync(join(MODELS_FOLDER, "digits.pt2"), join(models, "digits.pt2"));
  writeFileSync(join(models, "text.onnx"), Buffer.from(TEXT_MODEL, "base64"));
  mkdirSync(join(models, "seen", "1"), { recursive: true });
  writeFileSync(join(models, "seen", "config.pbtxt"), ENSEMBLE);
  const token = "a-token-of-the-test";
  await checkCases(t, "triton_calls.py", {
    least: 19,
    models,
    flags: ["--model-control", "explicit", "--load-models", "digits,text,seen", "--allow-model-upload"],
    env: { SCONCE_ADMIN_TOKEN: token },
    args: [token, TEXT_MODEL],
  });
});

/** A Triton repository: a sum that is a state. */
function sumRepository(): string {
  const models = mkdtempSync(join(tmpdir(), "triton-sequences-"));
  mkdirSync(join(models, "sum", "1"), { recursive: true });
  const value = (name: string) => ({ name, dtype: "float32" as const, dims: ["batch", 1] });
  const node = (type: string, inputs: string[], outputs: string[]) => ({
    ...{ type, domain: "", inputs, outputs },
    attributes: {},
  });
  const graph = {
    name: "main",
    inputs: [value("INPUT"), value("SUM")],
    outputs: [value("OUTPUT"), value("NEW_SUM")],
    initializers: [],
    nodes: [node("Add", ["INPUT", "SUM"], ["OUTPUT"]), node("Identity", ["OUTPUT"], ["NEW_SUM"])],
  };
  writeFileSync(join(models, "sum", "1", "model.onnx"), encodeModel({ opsets: new Map([["", 21]]), graph }));
  writeFileSync(
    join(models, "sum", "config.pbtxt"),
    `platform: "onnxruntime_onnx"
max_batch_size: 8
input [{ name: "INPUT" data_type: TYPE_FP32 dims: [ 1 ] }]
output [{ name: "OUTPUT" data_type: TYPE_FP32 dims: [ 1 ] }]
sequence_batching {
  max_sequence_idle_microseconds: 5000000
  state [{ input_name: "SUM" output_name: "NEW_SUM" data_type: TYPE_FP32 dims: [ 1 ] }]
}
`,
  );
  return models;
}

test("Triton's sequence examples, from Python over REST and gRPC, on a Triton repository", {
  timeout: 600_000,
}, async (t) => {
  const models = sumRepository();
  t.after(() => rmSync(models, { recursive: true }));
  await checkCases(t, "triton_sequences.py", { least: 6, models });
});
