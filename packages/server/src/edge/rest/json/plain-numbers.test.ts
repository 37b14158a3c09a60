// Tests plain-numbers.ts, and its two users, against the general readers: the same body means the same, and fails the same.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ServeError } from "../../../base/errors.ts";
import type { Datatype } from "../../../base/tensor.ts";
import { DEFAULT_REST_LIMITS, type RestLimits } from "../../rest-limits.ts";
import { AT_ONCE, type Work, workOff } from "../../time-slicer.ts";
import { spec } from "../memory-inference.kit.ts";
import { readPrediction, readPredictRequest } from "../predict/predict-request.ts";
import { V2Memory } from "../v2/v2-memory.ts";
import { readV2Request, type V2Request } from "../v2/v2-request.ts";
import { readPlainNumbers } from "./plain-numbers.ts";

const limits = DEFAULT_REST_LIMITS;
const all = <T>(work: Work<T>): T | Promise<T> => workOff(work, AT_ONCE);

/** What came of reading: the request, or what was wrong. */
function outcome(read: () => unknown): unknown {
  try {
    return read();
  } catch (thrown) {
    return { code: ServeError.from(thrown).code, message: ServeError.from(thrown).message };
  }
}

const space = fc.constantFrom("", "", "", " ", "\n\t");
const number = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.integer().map(String),
  fc.constantFrom("1e3", "-0", "true", "null", '"1"', "01", "1.", "NaN", "1e999", "{}", "9".repeat(1001)),
);
const row = fc.array(number, { maxLength: 3 }).map((items) => `[${items.join(",")}]`);
const data = fc.oneof(
  row,
  fc.array(row, { maxLength: 3 }).map((rows) => `[${rows.join(" , ")}]`),
  number,
);
/** A text with one character put in, changed or left out, or as it is. */
const slightly = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(text, fc.nat(), fc.constantFrom("", "", "", ",", "}", "]", "[", '"', "\u00e9", "\0", '"a":1,'))
    .map(([whole, place, extra]) => {
      const at = place % (whole.length + 1);
      return extra === "" ? whole : whole.slice(0, at) + extra + whole.slice(at + (place % 2));
    });
const datatype = fc.constantFrom<Datatype>("FP32", "INT64", "BOOL", "BYTES", "UINT8");

test("a /predict body means the same read plainly and in the general way", () => {
  const body = slightly(fc.tuple(space, data, space).map(([a, value, b]) => `{"input":${a}${value}${b}}`));
  fc.assert(
    fc.property(body, datatype, (text, type) => {
      const bytes = Buffer.from(text);
      const specs = [spec("in", type)];
      const call = { context: { limits }, workOff: <T>(_bytes: number, work: Work<T>) => all(work) };
      assert.deepEqual(
        outcome(() => readPrediction(call, bytes, specs)),
        outcome(() => all(readPredictRequest(bytes, specs, limits))),
      );
    }),
    { numRuns: 3000 },
  );
});

test("a v2 body around other numbers means the same recalled and read in the general way", () => {
  const around = fc.constantFrom<readonly [string, string]>(
    ['{"inputs":[{"name":"in","shape":[2],"datatype":"FP32","data":', "}]}"],
    ['{"id":"a", "inputs": [{"name": "in", "datatype": "INT64", "shape": [1, 2], "data": ', "}]}\n"],
    ['{"inputs":[{"data":', ',"name":"in","shape":[1],"datatype":"BOOL"}],"outputs":[{"name":"out"}]}'],
    ['{"inputs":[{"name":"in","shape":[2],"datatype":"FP32","data":', '}],"parameters":{"priority":1}}'],
    ['{"inputs":[{"name":"in","shape":[1],"datatype":"BYTES","data":', "}]}"],
  );
  /** What fits all of them but one. */
  const two = fc
    .tuple(fc.integer(), fc.integer(), space)
    .map(([a, b, gap]) => `${gap}[${a}${gap},${gap}${b}]${gap}`);
  let recalled = 0;
  fc.assert(
    fc.property(around, two, fc.oneof(two, slightly(two), data), ([before, after], first, second) => {
      const memory = new V2Memory();
      const one = Buffer.from(before + first + after);
      const kept = outcome(() => all(readV2Request(one, one.length, limits))) as V2Request;
      if (!("inputs" in kept)) return;
      memory.keep("m", one, kept);
      const other = Buffer.from(before + second + after);
      const found = memory.recall("m", other, limits);
      if (found === undefined) return;
      recalled += 1;
      const read = all(readV2Request(other, other.length, limits)) as V2Request;
      assert.deepEqual({ ...found, data: undefined }, { ...read, data: undefined });
      assert.equal(memory.recall("other", other, limits), undefined);
    }),
    { numRuns: 5000 },
  );
  assert.ok(recalled > 100, `${recalled} recalled`);
});

test("what may count against a limit of the general reader is left to it", () => {
  const body = Buffer.from("[1,2]");
  const read = (changed: Partial<RestLimits>, type: Datatype = "FP32"): unknown =>
    readPlainNumbers(
      body,
      { start: 0, end: 5 },
      { datatype: type, shape: undefined },
      { ...limits, ...changed },
    );
  assert.notEqual(read({}), undefined);
  assert.notEqual(read({ maxEnvelopeBytes: 5, maxJsonDepth: limits.maxDims + 3 }), undefined);
  assert.equal(read({ maxEnvelopeBytes: 4 }), undefined);
  assert.equal(read({ maxJsonDepth: limits.maxDims + 2 }), undefined);
  assert.equal(read({}, "BYTES"), undefined);
  const large = Buffer.from(`[${"1,".repeat(17_000)}1]`);
  const span = { start: 0, end: large.length };
  assert.equal(readPlainNumbers(large, span, { datatype: "FP32", shape: undefined }, limits), undefined);
});
