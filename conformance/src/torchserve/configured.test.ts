// Tests config.properties, tokens and envelopes against what the real TorchServe was recorded to answer (conformance/fixtures/torchserve-configured.json).
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { requirePython, runPython } from "../python.ts";
import { startServerProcess } from "../server-process.ts";
import { agree } from "./agreement.ts";
import { askConfigured, keyOf } from "./ask-configured.ts";
import { torchserveClients } from "./ask-grpc.ts";
import {
  configuredCalls,
  configuredProperties,
  RECORDED_ENVELOPES,
  type RecordedEnvelope,
  SEQUENCE_MESSAGES,
} from "./configured-calls.ts";
import type { GrpcCall } from "./grpc-calls.ts";
import type { Recorded } from "./recorded-call.ts";
import { torchserveAddresses } from "./torchserve-addresses.ts";

const MODELS = fileURLToPath(new URL("../../../scripts/python/torchserve_models.py", import.meta.url));
const RECORDED = fileURLToPath(new URL("../../fixtures/torchserve-configured.json", import.meta.url));

/** What is answered in another way on purpose. */
const DIFFERENT: Readonly<Record<string, string>> = {
  "GET /models with the management token": "modelUrl is made of the model's name",
  "GET /models with the new management token": "modelUrl is made of the model's name",
};

test("servers with a config.properties answer as TorchServe does", { timeout: 300_000 }, async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  const store = mkdtempSync(join(tmpdir(), "sconce-torchserve-"));
  t.after(() => rmSync(store, { recursive: true, force: true }));
  await runPython(python, ["-W", "ignore", MODELS, store]);
  const all = JSON.parse(readFileSync(RECORDED, "utf8")) as Readonly<
    Record<RecordedEnvelope, readonly Recorded[]>
  >;
  const config = join(store, "config.properties");
  for (const envelope of RECORDED_ENVELOPES) {
    await t.test(envelope, async () => {
      writeFileSync(config, `model_store=${store}\n${configuredProperties(envelope)}`);
      const keyFile = join(store, `${envelope}.json`);
      const own = ["--ts-config", config, "--torchserve-tokens", keyFile];
      const server = await startServerProcess([...own, "--python", python, "--spare-workers", "0"]);
      try {
        const { management, metrics } = torchserveAddresses(server.output());
        const addresses = {
          inference: server.url,
          management: `http://${management}`,
          metrics: `http://${metrics}`,
        };
        const calls = configuredCalls(envelope);
        const actual = await askConfigured(calls, { addresses, keyFile });
        const expected = all[envelope];
        assert.deepEqual(
          actual.map(({ call }) => call),
          expected.map(({ call }) => call),
          "record again",
        );
        const differing = actual.filter(
          ({ answers }, index) => !agree(answers, expected[index]!.answers, calls[index]!.closeness),
        );
        assert.deepEqual(
          differing.filter(({ call }) => DIFFERENT[call] === undefined),
          [],
        );
        if (envelope === "kserve") {
          await checkSequence(server.output(), keyFile);
          await checkTokensOverGrpc(server.output(), keyFile);
        }
      } finally {
        await server.stop();
      }
    });
  }
});

const UNAUTHENTICATED = 16;
const PERMISSION_DENIED = 7;

/** Each token is for its own service; without one nothing but `Ping` is answered. */
async function checkTokensOverGrpc(output: string, keyFile: string): Promise<void> {
  const { grpcInference, grpcManagement } = torchserveAddresses(output);
  const clients = torchserveClients({ inference: grpcInference, management: grpcManagement });
  const inference = (method: string, isStreamed = false): GrpcCall => {
    const input = { body: Buffer.from('{"instances": [{"data": [1, 2, 3]}]}') };
    const request = { modelName: "eager", input };
    return { name: method, service: "inference", method, request, closeness: "status", isStreamed };
  };
  const management = (method: string, request: object): GrpcCall => {
    return { name: method, service: "management", method, request: { ...request }, closeness: "status" };
  };
  const model = { modelName: "nobody" };
  const calls = [
    inference("Predictions"),
    inference("StreamPredictions", true),
    management("ListModels", {}),
    management("DescribeModel", model),
    management("RegisterModel", { url: "orders.mar" }),
    management("ScaleWorker", { ...model, minWorker: 2 }),
    management("SetDefault", { ...model, modelVersion: "1.0" }),
    management("UnregisterModel", model),
  ];
  try {
    assert.equal((await clients.ask({ ...inference("Ping"), request: {} })).code, 0);
    for (const call of calls) {
      assert.equal((await clients.ask(call)).code, UNAUTHENTICATED, `${call.name} without a token`);
      for (const name of ["wrong", "inference", "management", "API"] as const) {
        const { code } = await clients.ask(call, keyOf(keyFile, name) ?? "not-a-key");
        const isRefused = [UNAUTHENTICATED, PERMISSION_DENIED].includes(code);
        assert.equal(isRefused, name !== call.service, `${call.name} with the ${name} token: ${code}`);
      }
    }
  } finally {
    clients.close();
  }
}

/** The real one answers StreamPredictions2 of archives with sequenceBatching alone; its words of errors are from its source. */
async function checkSequence(output: string, keyFile: string): Promise<void> {
  const { grpcInference, grpcManagement } = torchserveAddresses(output);
  const clients = torchserveClients({ inference: grpcInference, management: grpcManagement });
  try {
    const answers = await clients.askSequence(SEQUENCE_MESSAGES, keyOf(keyFile, "inference")!);
    const [first, withoutId, second, unknown] = answers;
    const largest = (answer: unknown): unknown =>
      (JSON.parse(String(answer)) as { readonly predictions: readonly { readonly largest: number }[] })
        .predictions[0]!.largest;
    assert.deepEqual([largest(first), largest(second)], [14.5, 32.5]);
    assert.deepEqual(withoutId, { code: 3, message: "Parameter sequenceId is required." });
    assert.equal((unknown as { readonly code: number }).code, 5);
  } finally {
    clients.close();
  }
}
