import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ModelFileError, type ModelFileErrorKind } from "../errors.ts";
import { memorySource } from "./byte-range.ts";
import { isSafetensors, readSafetensors, type Safetensors, type SafetensorsLimits } from "./safetensors.ts";
import { readSharded } from "./safetensors-index.ts";
import { denseBytes, type StoredTensor } from "./stored-tensor.ts";

const PAYLOAD = Uint8Array.from({ length: 24 }, (_, index) => index);
const HEADER = {
  __metadata__: { format: "pt" },
  a: { dtype: "F32", shape: [2, 2], data_offsets: [0, 16] },
  b: { dtype: "I64", shape: [], data_offsets: [16, 24] },
  c: { dtype: "BF16", shape: [0, 5], data_offsets: [24, 24] },
};

function file(header: object | string, payload: Uint8Array = PAYLOAD, length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.byteLength + payload.byteLength);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.byteLength), true);
  bytes.set(text, 8);
  bytes.set(payload, 8 + text.byteLength);
  return bytes;
}

function read(bytes: Uint8Array, limits?: Partial<SafetensorsLimits>): Safetensors {
  return readSafetensors(memorySource("x.safetensors", bytes), limits);
}

function refuses(kind: ModelFileErrorKind, message: RegExp, run: () => unknown): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof ModelFileError, String(error));
    assert.equal(error.kind, kind);
    assert.match(error.message, message);
    return true;
  });
}

test("tensors and metadata are read, payload bytes stay where they are", () => {
  const bytes = file(HEADER);
  assert.ok(isSafetensors(memorySource("x", bytes)));
  const { tensors, metadata } = read(bytes);
  assert.deepEqual([...tensors.keys()], ["a", "b", "c"]);
  assert.deepEqual([...metadata], [["format", "pt"]]);
  const b = tensors.get("b")!;
  assert.deepEqual([b.dtype, b.shape, b.strides], ["int64", [], []]);
  assert.deepEqual(denseBytes("b", b), PAYLOAD.subarray(16));
  const place = b.storage.locate()!;
  assert.deepEqual(bytes.subarray(place.offset, place.offset + place.byteLength), PAYLOAD.subarray(16));
});

test("limits hold at n and refuse at n+1", () => {
  const bytes = file(HEADER);
  const headerBytes = bytes.byteLength - 8 - PAYLOAD.byteLength;
  read(bytes, { maxHeaderBytes: headerBytes, maxTensors: 3 });
  refuses("limit", /header has/, () => read(bytes, { maxHeaderBytes: headerBytes - 1 }));
  refuses("limit", /more than 2 tensors/, () => read(bytes, { maxTensors: 2 }));
});

test("a header length past the file is refused before anything is read", () => {
  refuses("corrupt", /longer than the file/, () => read(file(HEADER, PAYLOAD, 2n ** 63n)));
  refuses("corrupt", /too short/, () => read(new Uint8Array(7)));
});

const a = HEADER.a;
for (const [what, header, kind] of [
  ["a hole", { a, b: { dtype: "U8", shape: [4], data_offsets: [20, 24] } }, "corrupt"],
  ["an overlap", { a, b: { dtype: "U8", shape: [16], data_offsets: [8, 24] } }, "corrupt"],
  ["a payload without owner", { a }, "corrupt"],
  ["a tensor past the end", { a, b: { dtype: "I64", shape: [2], data_offsets: [16, 32] } }, "corrupt"],
  ["a size that is not the shape's", { a: { ...a, shape: [2, 3] } }, "corrupt"],
  ["sizes that overflow", { a: { ...a, shape: [2 ** 40, 2 ** 40] } }, "corrupt"],
  ["a negative size", { a: { ...a, shape: [-2, -2] } }, "corrupt"],
  ["reversed offsets", { a: { dtype: "U8", shape: [0], data_offsets: [8, 0] } }, "corrupt"],
  ["an unknown dtype", { a: { ...a, dtype: "F4" } }, "unsupported"],
  ["no description", { a: 3 }, "corrupt"],
  ["metadata that is no text", { __metadata__: { n: 1 }, a }, "corrupt"],
  ["an array", "[]", "corrupt"],
  ["no JSON", '{"a":', "corrupt"],
  ["a string without end", '{"a', "corrupt"],
  ["deep nesting", `${'{"a":'.repeat(9)}1${"}".repeat(9)}`, "corrupt"],
  ["a key twice", `{"a":${JSON.stringify(a)},"\\u0061":${JSON.stringify(a)}}`, "corrupt"],
] as const) {
  test(`a header with ${what} is refused`, () => {
    refuses(kind, /./, () => read(file(header)));
  });
}

test("shards are joined by their index", () => {
  const one = file({ a }, PAYLOAD.subarray(0, 16));
  const two = file({ b: { dtype: "U8", shape: [8], data_offsets: [0, 8] } }, PAYLOAD.subarray(0, 8));
  const index = (map: object): ReturnType<typeof memorySource> =>
    memorySource("i", new TextEncoder().encode(JSON.stringify({ metadata: {}, weight_map: map })));
  const tensorsOf = (bytes: Uint8Array): ReadonlyMap<string, StoredTensor> =>
    readSafetensors(memorySource("shard", bytes)).tensors;
  const open = (name: string): ReadonlyMap<string, StoredTensor> =>
    tensorsOf(name.startsWith("1") ? one : two);
  const places = { a: "1.safetensors", b: "2.safetensors" };
  assert.deepEqual([...readSharded(index(places), open).keys()], ["a", "b"]);
  refuses("corrupt", /'c' is not in/, () => readSharded(index({ ...places, c: "1.safetensors" }), open));
  refuses("corrupt", /'b' of '2.safetensors' is not in/, () =>
    readSharded(index({ a: "1.safetensors", c: "2.safetensors", b: "1.safetensors" }), (name) =>
      tensorsOf(
        name.startsWith("1")
          ? file({ a, b: { dtype: "U8", shape: [8], data_offsets: [16, 24] } })
          : file({
              c: { dtype: "U8", shape: [0], data_offsets: [0, 0] },
              b: { dtype: "U8", shape: [24], data_offsets: [0, 24] },
            }),
      ),
    ),
  );
  for (const name of ["../1.safetensors", "/1.safetensors", "a/1.safetensors", "1.exe", ".safetensors"]) {
    refuses("corrupt", /no plain file name/, () => readSharded(index({ a: name }), open));
  }
});

test("any mutation of a file gives tensors or a ModelFileError", () => {
  const whole = file(HEADER);
  const change = fc.record({ at: fc.nat(whole.byteLength - 1), value: fc.integer({ min: 0, max: 255 }) });
  const property = fc.property(fc.array(change, { maxLength: 4 }), fc.nat(60), (changes, cut) => {
    const mutated = whole.slice(0, whole.byteLength - (cut > 40 ? cut : 0));
    for (const { at, value } of changes) if (at < mutated.byteLength) mutated[at] = value;
    try {
      for (const [name, tensor] of read(mutated).tensors) denseBytes(name, tensor);
    } catch (error) {
      if (!(error instanceof ModelFileError)) throw error;
    }
  });
  fc.assert(property, { numRuns: 5_000 });
});
