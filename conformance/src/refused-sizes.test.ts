// Tests the built server on what PyTorch's own programs refuse, sizes that break a guard and indices out of range, and on no rows at all: over REST
// and gRPC, with batching, without it and with padding.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { translate } from "@sconce/torch";
import { nodePlatform } from "@sconce/torch/node";
import { protoClient } from "./grpc-client.ts";
import { type FixtureRun, type FixtureSample, readFixturePack } from "./oracle/fixture-pack.ts";
import { memorySource } from "./oracle/memory-source.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { until } from "./until.kit.ts";

const FIXTURES = fileURLToPath(new URL("../../packages/torch/fixtures", import.meta.url));
const INVALID_ARGUMENT = 3;

interface Tensor {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

function sampleOf(pack: string, id: string): FixtureSample {
  const { samples } = readFixturePack(join(FIXTURES, pack));
  return samples.find((sample) => sample.id === id)!;
}

/** The run of a sample whose first input has a shape. */
function runAt({ runs }: FixtureSample, ...shape: readonly number[]): FixtureRun {
  return runs.find(({ inputs }) => inputs[0]!.shape.join() === shape.join())!;
}

const numbers = (bytes: Uint8Array): number[] => [...new Float32Array(bytes.slice().buffer)];

describe("what a program of PyTorch's refuses", () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-refused-"));
  const even = sampleOf("guards/guards.pack", "even");
  const evenBatch = sampleOf("guards/guards.pack", "even_batch");
  const linear = sampleOf("guards/guards.pack", "linear_min0");
  const embedding = sampleOf("op-db/nn.functional.embedding.pack", "float32-1");
  const inputNames = new Map<string, readonly string[]>();
  let server: ServerProcess;

  before(async () => {
    const padSymbol = translate(memorySource("even", even.program), nodePlatform).inputs[0]!.dims[1]!;
    assert.ok(typeof padSymbol !== "number");
    const models: Readonly<Record<string, readonly [FixtureSample, string]>> = {
      even: [even, "{}"],
      padded: [even, `pad_symbol: ${padSymbol.symbol}\npad_buckets: [5]\n`],
      even_batch: [evenBatch, "{}"],
      linear: [linear, "{}"],
      embedding: [embedding, "{}"],
    };
    for (const [name, [{ program }, yaml]] of Object.entries(models)) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "model.pt2"), program);
      writeFileSync(join(folder, name, "model.yaml"), yaml);
      const ports = translate(memorySource(name, program), nodePlatform).inputs;
      inputNames.set(
        name,
        ports.map((port) => port.name),
      );
    }
    server = await startServerProcess([folder], { until: "listening" });
    await until("every model is loaded or refused", async () => {
      const loaded = (await states()).filter(
        ({ state, reason }) => state === "READY" || /^padding/.test(reason ?? ""),
      );
      return loaded.length === inputNames.size;
    });
  });

  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true });
  });

  async function states(): Promise<readonly { name: string; state?: string; reason?: string }[]> {
    const response = await fetch(`${server.url}/v2/repository/index`, { method: "POST" });
    return (await response.json()) as Awaited<ReturnType<typeof states>>;
  }

  async function rest(
    model: string,
    ...tensors: readonly (Tensor & { datatype?: string })[]
  ): Promise<Response> {
    const inputs = tensors.map((tensor, i) => ({
      datatype: "FP32",
      ...tensor,
      name: inputNames.get(model)![i],
    }));
    return fetch(`${server.url}/v2/models/${model}/infer`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ inputs }),
    });
  }

  async function assertRun(model: string, { inputs, outputs }: FixtureRun): Promise<void> {
    const [x] = inputs;
    const response = await rest(model, { shape: x!.shape, data: numbers(x!.bytes) });
    if (outputs.length === 0) {
      assert.equal(response.status, 400, `${model} [${x!.shape}]: PyTorch refuses`);
      const { error } = (await response.json()) as { readonly error: string };
      assert.match(error, /(must be a multiple of \d+|was exported for sizes where .+); got \d+/);
      return;
    }
    assert.equal(response.status, 200, `${model} [${x!.shape}]: ${await response.clone().text()}`);
    const [got] = ((await response.json()) as { readonly outputs: readonly Tensor[] }).outputs;
    assert.deepEqual(got!.shape, outputs[0]!.shape);
    for (const [i, want] of numbers(outputs[0]!.bytes).entries())
      assert.ok(
        Math.abs(got!.data[i]! - want) <= 1e-5 + 1e-4 * Math.abs(want),
        `${model} [${x!.shape}]: ${got!.data[i]}, not ${want}`,
      );
  }

  test("a guard that fails is a 400 that says it, and what it lets through is answered", async () => {
    for (const run of even.runs) await assertRun("even", run);
  });

  test("a guard on the number of rows switches batching off, and holds for each request that came with others", async () => {
    await Promise.all(evenBatch.runs.map((run) => assertRun("even_batch", run)));
  });

  test("a dimension that a guard is about is not padded: the model says why it is not served", async () => {
    const reason = (await states()).find(({ name }) => name === "padded")?.reason;
    assert.match(reason ?? "", /^padding: the program has a guard on "\w+": \(x\.shape\[1\] % 2\) == 0$/);
  });

  test("a request of no rows shares a run with others, over REST", async () => {
    const sizes = [4, 0, 2, 0, 3].map((rows) => runAt(linear, rows, 5));
    assert.ok(sizes.every(({ outputs }) => outputs.length > 0));
    await Promise.all([...sizes, ...sizes, ...sizes].map((run) => assertRun("linear", run)));
  });

  test("a guard and an index out of range are INVALID_ARGUMENT over gRPC, in the words of REST", async () => {
    const client = protoClient({
      proto: "inference/grpc_service.proto",
      service: "inference.GRPCInferenceService",
      target: server.authority,
    });
    const input = (model: string, i: number, rest: object): object => ({
      name: inputNames.get(model)![i],
      ...rest,
    });
    try {
      const odd = { datatype: "FP32", shape: [2, 3], data: [1, 2, 3, 4, 5, 6] };
      const told = (await (await rest("even", odd)).json()) as { readonly error: string };
      const guarded = client.unary("ModelInfer", {
        modelName: "even",
        inputs: [input("even", 0, { ...odd, contents: { fp32Contents: odd.data } })],
      });
      await assert.rejects(guarded, { code: INVALID_ARGUMENT, details: told.error });

      const [weight, ids] = embedding.runs[0]!.inputs;
      const table = { datatype: "FP32", shape: weight!.shape, data: numbers(weight!.bytes) };
      for (const wrong of [-1, weight!.shape[0]!]) {
        const data = new Array<number>(ids!.shape[0]!).fill(wrong);
        const found = await rest("embedding", table, { datatype: "INT64", shape: ids!.shape, data });
        assert.equal(found.status, 400);
        const { error } = (await found.json()) as { readonly error: string };
        assert.match(error, new RegExp(`${wrong}.*0 to ${weight!.shape[0]! - 1}`));
        const refused = client.unary("ModelInfer", {
          modelName: "embedding",
          inputs: [
            input("embedding", 0, { ...table, contents: { fp32Contents: table.data } }),
            input("embedding", 1, {
              datatype: "INT64",
              shape: ids!.shape,
              contents: { int64Contents: data },
            }),
          ],
        });
        await assert.rejects(refused, { code: INVALID_ARGUMENT, details: error });
      }
    } finally {
      client.close();
    }
  });
});
