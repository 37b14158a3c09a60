// Tests guard-table.ts and what torch reads of guards: programs of every kind of guard, at many sizes, against PyTorch.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { ServeError } from "../base/errors.ts";
import type { Datatype, NamedTensor } from "../base/tensor.ts";
import type { HostedModel } from "../runtime/model-host.ts";
import { loadModel } from "../runtime/onnx/load-model.ts";
import { PLAIN_LOAD } from "../runtime/plain-load.ts";
import { compileInputCheck } from "./input-check.ts";

type Place = readonly [offset: number, length: number];

interface PackedTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly at: Place;
}

interface Run {
  readonly inputs: readonly PackedTensor[];
  readonly outputs?: readonly PackedTensor[];
  /** Where PyTorch raised: in a guard, or in an op. */
  readonly raises?: "guard" | "run";
}

interface Header {
  readonly samples: readonly {
    readonly id: string;
    readonly program: Place;
    readonly runs: readonly Run[];
  }[];
}

const DATATYPES: Readonly<Record<string, Datatype>> = { float32: "FP32", int64: "INT64" };

/** The pack of scripts/python/make_guard_fixtures.py: programs, sizes, and what PyTorch's own loaded program answers. */
const unpacked = gunzipSync(
  readFileSync(fileURLToPath(new URL("../../../torch/fixtures/guards/guards.pack", import.meta.url))),
);
const start = 4 + unpacked.readUInt32LE(0);
const { samples } = JSON.parse(unpacked.toString("utf8", 4, start)) as Header;
const bytesAt = ([offset, length]: Place): Uint8Array =>
  Uint8Array.from(unpacked.subarray(start + offset, start + offset + length));

/** PyTorch drops a dimension of size 1 there, which a translation cannot; such sizes are refused. */
const NARROWER: readonly string[] = ["squeezed", "squeezed_named"];

describe("guards and sizes: what PyTorch's loaded program accepts is answered equally, the rest is refused", () => {
  const folder = mkdtempSync(join(tmpdir(), "guards-"));
  after(() => rmSync(folder, { recursive: true }));
  for (const { id, program, runs } of samples) {
    test(id, async () => {
      const file = join(folder, `${id}.pt2`);
      writeFileSync(file, bytesAt(program));
      const model = await load(file);
      const check = compileInputCheck(model.description.signature);
      for (const run of runs) {
        const sizes = run.inputs.map(({ shape }) => `[${shape.join(", ")}]`).join(" ");
        const answer = await ask(model, check, run).catch((error: unknown) => ServeError.from(error));
        if (run.outputs === undefined) {
          assert.ok(answer instanceof ServeError, `${sizes}: PyTorch refuses, but there is an answer`);
          assert.equal(answer.code, "invalid_argument", `${sizes}: ${answer.message}`);
        } else if (answer instanceof ServeError) {
          const isKnown = NARROWER.includes(id) && /drops that dimension where it is 1/.test(answer.message);
          assert.ok(isKnown, `${sizes}: PyTorch answers, but: ${answer.message}`);
        } else assertEqual(answer, run.outputs, sizes);
      }
    });
  }
});

function load(file: string): Promise<HostedModel> {
  return loadModel(
    { spec: { name: "m", version: "1", file, root: dirname(file), options: PLAIN_LOAD }, wantsDigest: false },
    () => {},
  );
}

interface Answer {
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

async function ask(
  model: HostedModel,
  check: ReturnType<typeof compileInputCheck>,
  { inputs }: Run,
): Promise<Answer[]> {
  const specs = model.description.signature.inputs;
  const tensors = inputs.map(
    ({ dtype, shape, at }, i): NamedTensor => ({
      name: specs[i]!.name,
      datatype: DATATYPES[dtype]!,
      shape: [...shape],
      bytes: bytesAt(at),
    }),
  );
  const { outputs } = await model.run(check(tensors));
  return outputs.map(({ shape, chunks }) => ({ shape, bytes: Uint8Array.from(Buffer.concat(chunks)) }));
}

function assertEqual(answer: readonly Answer[], expected: readonly PackedTensor[], sizes: string): void {
  assert.equal(answer.length, expected.length, sizes);
  for (const [i, { shape, at }] of expected.entries()) {
    assert.deepEqual(answer[i]!.shape, shape, sizes);
    const want = new Float32Array(bytesAt(at).buffer);
    const have = new Float32Array(answer[i]!.bytes.buffer);
    for (const [at, value] of want.entries()) {
      const isClose = Math.abs(have[at]! - value) <= 1e-5 + 1e-4 * Math.abs(value);
      assert.ok(isClose, `${sizes}: element ${at} is ${have[at]}, PyTorch has ${value}`);
    }
  }
}
