import assert from "node:assert/strict";
import { test } from "node:test";
import { unpackBytes } from "@sconce/protocol";
import { NO_PARAMETERS } from "../base/infer-request.ts";
import type { NamedTensor } from "../base/tensor.ts";
import { checkClassification, classifying } from "./classification.ts";
import { topIndices } from "./top-classes.ts";

const spec = (datatype: NamedTensor["datatype"]) => ({ name: "y", datatype, dims: [] });

function classify(
  output: Omit<NamedTensor, "name">,
  count: number,
  parts: Partial<Parameters<typeof classifying>[2]> = {},
): { readonly shape: readonly number[]; readonly texts: readonly string[] } {
  let found: NamedTensor | undefined;
  const receiver = classifying(
    {
      resolve: ({ outputs }) => {
        found = outputs[0];
      },
      reject: (error) => {
        throw error;
      },
    },
    new Map([["y", count]]),
    { isBatching: true, labels: undefined, ...parts },
  );
  const outputs = [{ name: "y", ...output }];
  receiver.resolve({
    model: "m",
    version: "1",
    id: undefined,
    outputs,
    parameters: NO_PARAMETERS,
    batchRows: 1,
  });
  assert.equal(found?.datatype, "BYTES");
  return {
    shape: found.shape,
    texts: unpackBytes(found.bytes, "y").map((text) => Buffer.from(text).toString()),
  };
}

const floats = (shape: readonly number[], ...values: readonly number[]) => ({
  datatype: "FP32" as const,
  shape,
  bytes: new Uint8Array(Float32Array.from(values).buffer),
});

test("the best classes of each row, as Triton writes them", () => {
  assert.deepEqual(classify(floats([2, 3], 0.5, 0.25, 1, -1, 8, 0), 2), {
    shape: [2, 2],
    texts: ["1.000000:2", "0.500000:0", "8.000000:1", "0.000000:2"],
  });
});

test("labels come behind; a class without one has none", () => {
  const labels = new Map([["y", ["cat", "dog"]]]);
  assert.deepEqual(classify(floats([1, 3], 1, 2, 3), 9, { labels }).texts, [
    "3.000000:2",
    "2.000000:1:dog",
    "1.000000:0:cat",
  ]);
  const everywhere = new Map([["", ["a", "b", "c"]]]);
  assert.deepEqual(classify(floats([1, 3], 1, 2, 3), 1, { labels: everywhere }).texts, ["3.000000:2:c"]);
});

test("without a batch the whole output is one row", () => {
  assert.deepEqual(classify(floats([2, 2], 1, 4, 3, 2), 3, { isBatching: false }), {
    shape: [3],
    texts: ["4.000000:1", "3.000000:2", "2.000000:3"],
  });
  assert.deepEqual(classify(floats([0, 3]), 2), { shape: [0, 2], texts: [] });
});

test("whole numbers stay whole, also where no double holds them", () => {
  const bytes = new Uint8Array(BigInt64Array.from([2n ** 53n, 2n ** 53n + 1n, -1n]).buffer);
  assert.deepEqual(classify({ datatype: "INT64", shape: [1, 3], bytes }, 2).texts, [
    "9007199254740993:1",
    "9007199254740992:0",
  ]);
  const int8 = new Uint8Array(Int8Array.from([-3, 5]).buffer);
  assert.deepEqual(classify({ datatype: "INT8", shape: [1, 2], bytes: int8 }, 1).texts, ["5:1"]);
});

test("what is no number comes last", () => {
  const values = floats(
    [1, 5],
    Number.NaN,
    1,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
  );
  assert.deepEqual(classify(values, 5).texts, ["inf:2", "1.000000:1", "-inf:3", "nan:0", "nan:4"]);
});

test("outputs without an order are refused", () => {
  for (const datatype of ["BOOL", "BYTES", "FP16"] as const)
    assert.throws(
      () =>
        checkClassification(new Map([["y", 1]]), {
          inputs: [],
          outputs: [spec(datatype)],
          batching: { kind: "off", reason: "" },
        }),
      { code: "invalid_argument", message: new RegExp(`cannot be classified: it is ${datatype}`) },
    );
});

test("the heap picks what sorting picks", () => {
  let state = 7;
  const next = (): number => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return state;
  };
  for (let round = 0; round < 500; round++) {
    const values = Array.from({ length: next() % 40 }, () => (next() % 11 === 0 ? Number.NaN : next() % 9));
    const count = (next() % 12) + 1;
    const sorted = values
      .map((_, i) => i)
      .sort((a, b) => {
        const [left, right] = [values[a]!, values[b]!].map((value) => (Number.isNaN(value) ? -1 : value));
        return right! - left! || a - b;
      });
    assert.deepEqual(topIndices(values, 0, values.length, count), sorted.slice(0, count));
  }
});
