// Tests that `inspect`, `serve` and `quantize` agree on what an ONNX file is, against ONNX Runtime itself.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { decodeModel, encodeModel, inlineWeights, type ModelSummary, summarizeFile } from "@sconce/torch";
import { nodePlatform, openFileSource } from "@sconce/torch/node";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { Signature } from "../../base/signature.ts";
import type { HostedModel } from "../model-host.ts";
import { PLAIN_LOAD } from "../plain-load.ts";
import { datatypeOfTorch } from "./datatypes.ts";
import { loadModel } from "./load-model.ts";
import { nestedModel, seeded, shuffledMessage } from "./shuffled-onnx.kit.ts";

const folder = mkdtempSync(join(tmpdir(), "readers-"));
after(() => rmSync(folder, { recursive: true }));

/** How deep ONNX Runtime 1.30 reads Ifs in each other; all of us stop where it does. */
const DEEPEST = 31;
const X = Float32Array.of(1, 2);
/** x + w + s + 10 of the nested model. */
const Y = [12, 17];

function write(name: string, bytes: Uint8Array): string {
  const file = join(folder, name);
  writeFileSync(file, bytes);
  return file;
}

function serve(file: string): Promise<HostedModel> {
  return loadModel(
    { spec: { name: "m", version: "1", file, root: dirname(file), options: PLAIN_LOAD }, wantsDigest: false },
    () => {},
  );
}

function reading<T>(file: string, read: (source: ReturnType<typeof openFileSource>) => T): T {
  const source = openFileSource(file);
  try {
    return read(source);
  } finally {
    source.close();
  }
}

const inspect = (file: string): ModelSummary =>
  reading(file, (source) => summarizeFile(source, nodePlatform));

/** What `quantize` and `precision:` read and write again. */
const rewritten = (file: string): Uint8Array =>
  reading(file, (source) =>
    encodeModel(
      inlineWeights(decodeModel(source), ({ offset, byteLength }) => source.read(offset, byteLength)),
    ),
  );

function ports({ inputs, outputs }: ModelSummary): unknown {
  const spec = ({ name, dtype, dims }: ModelSummary["inputs"][number]): unknown => ({
    name,
    datatype: dtype === "string" || dtype === "unknown" ? dtype : datatypeOfTorch(dtype),
    dims,
  });
  return { inputs: inputs.map(spec), outputs: outputs.map(spec) };
}

const tensors = ({ inputs, outputs }: Signature): unknown => ({ inputs, outputs });

async function runServed(model: HostedModel): Promise<number[]> {
  const { outputs } = await model.run([
    { datatype: "FP32", shape: [1, 2], bytes: new Uint8Array(X.buffer) },
    { datatype: "BOOL", shape: [1], bytes: Uint8Array.of(1) },
  ]);
  return [...new Float32Array(Uint8Array.from(Buffer.concat(outputs[0]!.chunks)).buffer)];
}

async function runBytes(model: Uint8Array): Promise<number[]> {
  const session = await InferenceSession.create(model, { logSeverityLevel: 4 });
  const { y } = await session.run({
    x: new Tensor("float32", X, [1, 2]),
    on: new Tensor("bool", [true], [1]),
  });
  await session.release();
  return [...(y!.data as Float32Array)];
}

const messageOf = (error: unknown): string => (error as Error).message;

for (let depth = 1; depth <= 64; depth++) {
  test(`Ifs nested ${depth} deep: inspect, serve and quantize say the same`, async () => {
    const random = seeded(depth);
    const file = write(
      `sparse-${depth}.onnx`,
      shuffledMessage(nestedModel(depth, { isSparse: true }), random),
    );
    const plain = write(
      `plain-${depth}.onnx`,
      shuffledMessage(nestedModel(depth, { isSparse: false }), random),
    );
    if (depth <= DEEPEST) {
      const [summary, model] = [inspect(file), await serve(file)];
      assert.deepEqual(ports(summary), tensors(model.description.signature), "the signature of inspect");
      assert.deepEqual(await runServed(model), Y, "the result of serve");
      assert.deepEqual(await runBytes(rewritten(plain)), Y, "the result of quantize");
      return;
    }
    const says = /deeper than ONNX Runtime reads/;
    await assert.rejects(
      InferenceSession.create(file, { logSeverityLevel: 4 }),
      "ONNX Runtime reads deeper now",
    );
    assert.throws(() => inspect(file), says);
    assert.throws(() => rewritten(plain), says);
    await assert.rejects(serve(file), (error) => says.test(messageOf(error)));
  });
}

for (let seed = 100; seed < 140; seed++) {
  test(`fields in another order, unknown ones between them (${seed}): one signature, one result`, async () => {
    const file = write(
      `shuffled-${seed}.onnx`,
      shuffledMessage(nestedModel(2, { isSparse: seed % 2 === 0 }), seeded(seed)),
    );
    const [summary, model] = [inspect(file), await serve(file)];
    assert.deepEqual(ports(summary), tensors(model.description.signature));
    assert.deepEqual(await runServed(model), Y);
    if (seed % 2 === 1) assert.deepEqual(await runBytes(rewritten(file)), Y);
  });
}
