import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { ParameterValue } from "../../base/infer-request.ts";
import type { Signature } from "../../base/signature.ts";
import { type Datatype, elementBytes, type NamedTensor } from "../../base/tensor.ts";
import { decodeValue, encodeClaim, encodeValue, isClaim } from "./stored-value.ts";

const MAX_BYTES = 1_000_000;
const CONTEXT = { key: "sconce:m:k", secret: undefined };

function signatureOf(outputs: readonly Pick<NamedTensor, "name" | "datatype" | "shape">[]): Signature {
  return {
    inputs: [],
    outputs: outputs.map(({ name, datatype, shape }) => ({ name, datatype, dims: shape })),
    batching: { kind: "off", reason: "a test" },
  };
}

const TENSOR = fc
  .record({
    datatype: fc.constantFrom<Datatype>("FP32", "INT64", "UINT8", "BOOL", "FP16", "BYTES"),
    shape: fc.array(fc.nat(3), { maxLength: 3 }),
    seed: fc.uint8Array({ minLength: 1, maxLength: 8 }),
  })
  .map(({ datatype, shape, seed }) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const width = elementBytes(datatype);
    const bytes = new Uint8Array(width === 0 ? 0 : count * width).map((_, i) => seed[i % seed.length]!);
    const texts = Array.from({ length: count }, (_, i) => {
      const text = seed.subarray(0, i % 4);
      return Buffer.concat([Buffer.from(Uint32Array.of(text.length).buffer), text]);
    });
    return { datatype, shape, bytes: width === 0 ? new Uint8Array(Buffer.concat(texts)) : bytes };
  });
const OUTPUTS = fc
  .array(TENSOR, { minLength: 1, maxLength: 4 })
  .map((tensors) => tensors.map((tensor, i) => ({ name: `y${i}`, ...tensor })));
const PARAMETERS = fc.dictionary(
  fc.string({ maxLength: 5 }),
  fc.oneof(
    fc.boolean(),
    fc.string({ maxLength: 5 }),
    fc.integer(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n }),
  ),
);

describe("a stored value", () => {
  test("is the response that it was made of", () => {
    fc.assert(
      fc.property(
        OUTPUTS,
        PARAMETERS,
        fc.option(fc.uint8Array({ minLength: 32 })),
        (outputs, given, secret) => {
          const parameters = new Map<string, ParameterValue>(Object.entries(given));
          const context = { key: "k", secret: secret === null ? undefined : Buffer.from(secret) };
          const value = encodeValue({ outputs, parameters }, context, MAX_BYTES)!;
          const signature = signatureOf(outputs);
          const read = decodeValue(value, context, { signature, wanted: undefined })!;
          assert.deepEqual(read.outputs, outputs);
          assert.deepEqual(read.parameters, parameters);
          for (const { bytes } of read.outputs) assert.equal(bytes.byteOffset % 8, 0);
        },
      ),
    );
  });

  test("is nothing once a byte of it has changed, is missing or is too many", () => {
    fc.assert(
      fc.property(OUTPUTS, fc.nat(), fc.integer({ min: 1, max: 255 }), (outputs, place, change) => {
        const value = encodeValue({ outputs, parameters: new Map() }, CONTEXT, MAX_BYTES)!;
        const asked = { signature: signatureOf(outputs), wanted: undefined };
        const flipped = value.slice();
        flipped[place % value.length]! ^= change;
        for (const wrong of [
          flipped,
          value.subarray(0, place % value.length),
          Buffer.concat([value, Buffer.alloc(1 + (place % 9))]),
        ]) {
          assert.equal(decodeValue(wrong, CONTEXT, asked), undefined);
        }
      }),
    );
  });

  test("is nothing under another key, with another secret, or for other outputs", () => {
    const outputs = ["a", "b"].map((name, i) => ({
      name,
      datatype: "UINT8" as const,
      shape: [1 + i],
      bytes: new Uint8Array(1 + i),
    }));
    const response = { outputs, parameters: new Map<string, ParameterValue>() };
    const secret = Buffer.alloc(32, 1);
    const value = encodeValue(response, { key: "k", secret }, MAX_BYTES)!;
    const asked = { signature: signatureOf(outputs), wanted: undefined };
    assert.notEqual(decodeValue(value, { key: "k", secret }, asked), undefined);
    for (const context of [
      { key: "l", secret },
      { key: "k", secret: Buffer.alloc(32, 2) },
      { key: "k", secret: undefined },
    ]) {
      assert.equal(decodeValue(value, context, asked), undefined);
    }
    const others: readonly Parameters<typeof decodeValue>[2][] = [
      { signature: signatureOf(outputs.slice(1)), wanted: undefined },
      { signature: signatureOf(outputs), wanted: ["a"] },
      { signature: signatureOf(outputs), wanted: ["a", "c"] },
      {
        signature: signatureOf(outputs.map((o) => ({ ...o, datatype: "INT8" as const }))),
        wanted: undefined,
      },
      { signature: signatureOf(outputs.map((o) => ({ ...o, shape: [1, 1] }))), wanted: undefined },
    ];
    for (const [i, other] of others.entries())
      assert.equal(decodeValue(value, { key: "k", secret }, other), undefined, `${i}`);
  });

  test("that somebody seals by the rules is still held to the model's outputs, and to its limits", () => {
    const good = { datatype: "FP32" as const, shape: [2], bytes: new Uint8Array(8) };
    const asked = { signature: signatureOf([{ name: "y", ...good }]), wanted: undefined };
    const wrongs: readonly Partial<NamedTensor>[] = [
      { shape: [3] },
      { shape: [2 ** 40] },
      { shape: [-2] },
      { shape: [0.5] },
      { shape: ["2"] as unknown as number[] },
      { shape: "2" as unknown as number[] },
      { datatype: "toString" as Datatype },
      { bytes: new Uint8Array(7) },
      { bytes: new Uint8Array(9) },
    ];
    for (const wrong of wrongs) {
      const outputs = [{ name: "y", ...good, ...wrong }];
      const value = encodeValue({ outputs, parameters: new Map() }, CONTEXT, MAX_BYTES)!;
      assert.equal(decodeValue(value, CONTEXT, asked), undefined, JSON.stringify(wrong));
    }
    const many = new Map(Array.from({ length: 257 }, (_, i) => [`p${i}`, i]));
    const value = encodeValue({ outputs: [{ name: "y", ...good }], parameters: many }, CONTEXT, MAX_BYTES)!;
    assert.equal(decodeValue(value, CONTEXT, asked), undefined);
  });

  test("has n bytes at most", () => {
    const response = {
      outputs: [{ name: "y", datatype: "UINT8" as const, shape: [100], bytes: new Uint8Array(100) }],
      parameters: new Map<string, ParameterValue>(),
    };
    const { length } = encodeValue(response, CONTEXT, MAX_BYTES)!;
    assert.equal(encodeValue(response, CONTEXT, length)?.length, length);
    assert.equal(encodeValue(response, CONTEXT, length - 1), undefined);
  });
});

test("a claim is no value, and a value no claim", () => {
  const claim = encodeClaim(new Uint8Array(16).fill(7));
  assert.ok(isClaim(claim));
  assert.equal(decodeValue(claim, CONTEXT, { signature: signatureOf([]), wanted: undefined }), undefined);
  const value = encodeValue({ outputs: [], parameters: new Map() }, CONTEXT, MAX_BYTES)!;
  assert.ok(!isClaim(value));
});
