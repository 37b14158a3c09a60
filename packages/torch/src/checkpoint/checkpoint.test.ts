import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readSafetensors } from "../archive/safetensors.ts";
import { denseBytes, type StoredTensor } from "../archive/stored-tensor.ts";
import { nodePlatform, openFileSource } from "../node.ts";
import { type Checkpoint, readCheckpoint } from "./checkpoint.ts";

/** Files that PyTorch 2.13 wrote (scripts/python/checkpoint_fixtures.py), with what it reads from them. */
const folder = new URL("../../fixtures/checkpoint/", import.meta.url);

interface Expected {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly hex: string;
}

const expected = JSON.parse(readFileSync(new URL("expected.json", folder), "utf8")) as Record<
  string,
  Record<string, Expected | null>
>;

function withFile<T>(name: string, use: (checkpoint: Checkpoint) => T): T {
  const source = openFileSource(fileURLToPath(new URL(name, folder)));
  try {
    return use(readCheckpoint(source, nodePlatform));
  } finally {
    source.close();
  }
}

function describe(name: string, tensor: StoredTensor): Expected {
  const hex = Buffer.from(denseBytes(name, tensor)).toString("hex");
  return { dtype: tensor.dtype, shape: tensor.shape, hex };
}

for (const [file, tensors] of Object.entries(expected)) {
  test(`${file} holds what PyTorch reads from it`, () => {
    withFile(file, (checkpoint) => {
      const found = new Map([...checkpoint.tensors].map(([name, tensor]) => [name, describe(name, tensor)]));
      for (const [name, value] of Object.entries(tensors)) {
        if (value === null) assert.ok(checkpoint.skipped.has(name), `${name} must be skipped by name`);
        else assert.deepEqual(found.get(name), value, name);
      }
      assert.equal(found.size + checkpoint.skipped.size, Object.keys(tensors).length, "no tensor more");
    });
  });
}

test("a training checkpoint answers its model's state dict and its plain values", () => {
  withFile("training.pth", (checkpoint) => {
    assert.equal(checkpoint.path, "model_state_dict");
    assert.deepEqual(
      [...checkpoint.metadata],
      [
        ["epoch", 3],
        ["note", "ü"],
      ],
    );
  });
});

for (const file of ["state_dict.pth", "module_old.pth"]) {
  test(`tied weights of ${file} share one storage, and lie in the file where it says`, () => {
    withFile(file, ({ tensors }) => {
      const [one, two] = [tensors.get("linear.weight")!, tensors.get("tied.weight")!];
      assert.equal(one.storage, two.storage);
      const { offset, byteLength } = one.storage.locate()!;
      const raw = readFileSync(new URL(file, folder)).subarray(offset, offset + byteLength);
      assert.equal(raw.toString("hex"), Buffer.from(one.storage.read()).toString("hex"));
    });
  });
}

test("the example's checkpoint and safetensors hold the same weights", () => {
  const open = (name: string): ReturnType<typeof openFileSource> =>
    openFileSource(fileURLToPath(new URL(`../../../../examples/digits/${name}`, import.meta.url)));
  const pickled = open("digits.pth");
  const plain = open("digits.safetensors");
  const read = (tensors: ReadonlyMap<string, StoredTensor>): object =>
    Object.fromEntries([...tensors].sort().map(([name, tensor]) => [name, describe(name, tensor)]));
  const weights = read(readCheckpoint(pickled, nodePlatform).tensors);
  assert.ok(Object.keys(weights).length > 4);
  assert.deepEqual(weights, read(readSafetensors(plain).tensors));
  pickled.close();
  plain.close();
});
