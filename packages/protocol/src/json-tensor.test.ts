// Tests json-tensor-decode.ts and json-tensor-encode.ts, one against the other.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteWriter } from "./byte-writer.ts";
import { type Datatype, elementBytes } from "./datatype.ts";
import { decodeJsonTensor, JsonTensorDecoder, type JsonTensorOptions } from "./json-tensor-decode.ts";
import { encodeJsonTensor, JsonTensorEncoder } from "./json-tensor-encode.ts";
import { packBytes } from "./packed-bytes.ts";
import { ServeError } from "./serve-error.ts";
import type { Tensor } from "./tensor.ts";

function decode(json: string, datatype: Datatype, options: Partial<JsonTensorOptions> = {}): Tensor {
  const bytes = Buffer.from(json);
  return decodeJsonTensor(
    bytes,
    { start: 0, end: bytes.length },
    { field: "data", datatype, shape: undefined, ...options },
  );
}

function encode(
  tensor: Tensor,
  layout: "nested" | "flat" = "nested",
  nonFinite: "bare" | "null" = "bare",
): string {
  const out = new ByteWriter(16);
  encodeJsonTensor(out, tensor, { layout, nonFinite });
  return Buffer.from(out.finish()).toString();
}

function rejected(json: string, datatype: Datatype, options: Partial<JsonTensorOptions> = {}): string {
  try {
    decode(json, datatype, options);
  } catch (error) {
    assert.ok(error instanceof ServeError && error.code === "invalid_argument", String(error));
    return error.message;
  }
  return assert.fail(`${json} was accepted as ${datatype}`);
}

function floats(tensor: Tensor): number[] {
  return [...new Float32Array(tensor.bytes.slice().buffer)];
}

test("nesting gives the shape", () => {
  assert.deepEqual(decode("[[1,2,3],[4,5,6]]", "FP32").shape, [2, 3]);
  assert.deepEqual(floats(decode(" [ [ 1 , 2 ] , [ 3.5 , -4e-2 ] ] ", "FP32")), [
    1,
    2,
    3.5,
    Math.fround(-0.04),
  ]);
  assert.deepEqual(decode("7", "INT64").shape, []);
  assert.deepEqual(decode("[]", "FP32").shape, [0]);
  assert.deepEqual(decode("[[],[]]", "FP32").shape, [2, 0]);
});

test("with a shape, data may be flat, nested, or nested but for dimensions of one", () => {
  const shape = [1, 2, 2];
  for (const json of ["[1,2,3,4]", "[[[1,2],[3,4]]]", "[[1,2],[3,4]]"]) {
    const tensor = decode(json, "FP32", { shape });
    assert.deepEqual(tensor.shape, shape);
    assert.deepEqual(floats(tensor), [1, 2, 3, 4]);
  }
  assert.equal(
    rejected("[[1,2,3],[4,5,6]]", "FP32", { shape: [3, 2] }),
    "data: is nested as [2, 3], but the shape is [3, 2]",
  );
  assert.equal(rejected("[1,2,3]", "FP32", { shape: [2, 2] }), "data: shape [2, 2] needs 4 elements, got 3");
  assert.match(
    rejected("[1,2,3]", "FP32", { shape: [2] }),
    /shape \[2\] needs 2 elements, the data has more/,
  );
  assert.match(rejected("[]", "FP32", { shape: [9e15] }), /needs 9000000000000000 elements/);
});

test("ragged rows are found, with their place", () => {
  assert.equal(
    rejected("[[1,2],[3]]", "FP32"),
    "data[1]: has 1 elements where its neighbours have 2; a tensor's rows must all have the same length",
  );
  assert.match(rejected("[[1,2],[3,4,5]]", "FP32"), /^data\[1\]: has 3 elements/);
  assert.match(rejected("[[[1],[2]],[[3],[4,5]]]", "FP32"), /^data\[1\]\[1\]: has 2 elements/);
  assert.match(rejected("[[1,2],3]", "FP32"), /^data\[1\]: .*neighbours are arrays/);
  assert.match(rejected("[1,[2]]", "FP32"), /^data\[1\]: an array stands where its neighbours are elements/);
  assert.match(rejected("[[],[1]]", "FP32"), /^data\[1\]: has 1 elements where its neighbours have 0/);
});

test("a wrong element is named by its index path and what was expected", () => {
  assert.equal(rejected('[[1,2],[3,"x"]]', "FP32"), "data[1][1]: expected a number for FP32, got a string");
  assert.equal(rejected("[true]", "FP32"), "data[0]: expected a number for FP32, got a boolean");
  assert.equal(rejected("[null]", "INT8"), "data[0]: expected a number for INT8, got null");
  assert.equal(rejected("[2]", "BOOL"), "data[0]: 2 is out of range for BOOL");
  assert.equal(rejected('["a", 1]', "BYTES"), 'data[1]: expected a string for BYTES, got "1…"');
  assert.equal(rejected("[1.5]", "INT32"), "data[0]: 1.5 is not a whole number; INT32 takes integers");
});

test("integer ranges end where they should", () => {
  const ranges: Array<[Datatype, bigint, bigint]> = [
    ["UINT8", 0n, 255n],
    ["INT8", -128n, 127n],
    ["UINT16", 0n, 65535n],
    ["INT16", -32768n, 32767n],
    ["UINT32", 0n, 4294967295n],
    ["INT32", -2147483648n, 2147483647n],
    ["UINT64", 0n, 18446744073709551615n],
    ["INT64", -9223372036854775808n, 9223372036854775807n],
  ];
  for (const [datatype, min, max] of ranges) {
    for (const value of [min, min + 1n, max - 1n, max]) {
      assert.equal(encode(decode(`[${value}]`, datatype)), `[${value}]`);
    }
    assert.match(rejected(`[${min - 1n}]`, datatype), /^data\[0\]: -\d+ is out of range for/);
    assert.match(rejected(`[${max + 1n}]`, datatype), /is out of range for/);
  }
  assert.equal(encode(decode("[1.0, 1e3, -0]", "INT64")), "[1,1000,0]");
  assert.match(rejected("[1e19]", "UINT64"), /write all its digits/);
  assert.match(rejected("[1e400]", "INT32"), /out of range/);
});

test("floats out of range are rejected, NaN and Infinity are taken as bare words", () => {
  assert.match(rejected("[3.5e38]", "FP32"), /3.5e38 is out of range for FP32/);
  assert.match(rejected("[1e400]", "FP64"), /out of range for FP64/);
  const tensor = decode("[NaN, Infinity, -Infinity, 1e-400]", "FP32");
  assert.equal(encode(tensor), "[NaN,Infinity,-Infinity,0]");
  assert.equal(encode(tensor, "flat", "null"), "[null,null,null,0]");
  assert.match(rejected("[NaN]", "INT32"), /expected a number for INT32, got NaN or Infinity/);
});

test("number literals of up to 1,000 characters are read, longer ones are not", () => {
  assert.deepEqual(floats(decode(`[0.${"1".repeat(998)}]`, "FP32")), [Math.fround(1 / 9)]);
  for (const text of [
    `0.${"1".repeat(999)}`,
    "9".repeat(1001),
    `1e${"0".repeat(999)}`,
    `-1.0e+${"9".repeat(5000)}`,
  ])
    assert.match(rejected(`[${text}]`, "FP32"), /^data\[0\]: a number has more than 1000 characters/);
});

test("what C prints with %f and %.60f is read", () => {
  const largest = "-340282346638528859811704183484516925440.000000";
  assert.equal(largest.length, 47);
  assert.deepEqual(floats(decode(`[${largest}]`, "FP32")), [-3.4028234663852886e38]);
  const tenth = "0.1000000000000000055511151231257827021181583404541015625000000000";
  assert.equal(encode(decode(`[${tenth}]`, "FP64")), "[0.1]");
  const max64 = BigInt(Number.MAX_VALUE).toString();
  assert.equal(encode(decode(`[${max64}.000000]`, "FP64")), `[${Number.MAX_VALUE}]`);
  assert.match(rejected(`[${max64}]`, "INT64"), /^data\[0\]: 1797693134862315\d+… is out of range for INT64/);
  assert.equal(encode(decode(`[42.${"0".repeat(500)}]`, "INT32")), "[42]");
  assert.match(rejected(`[0.${"9".repeat(60)}]`, "UINT8"), /is not a whole number/);
  assert.match(rejected(`[1.${"0".repeat(60)}1]`, "INT64"), /is not a whole number/);
});

test("a step through spaces or a long string ends where it should, and the result is the same", () => {
  const long = JSON.stringify("ä\n\u{1f600}x".repeat(5_000)).replaceAll("x", "\\u0078");
  const base64 = Buffer.alloc(50_000, 7).toString("base64");
  const text = `${" ".repeat(9_000)}[${"\t".repeat(9_000)}${long}${"\n".repeat(9_000)},{"b64":"${base64}"}${" ".repeat(9_000)}]`;
  const json = Buffer.from(text);
  const span = { start: 0, end: json.length };
  const options = { field: "data", datatype: "BYTES" as const, shape: undefined };
  const decoder = new JsonTensorDecoder(json, span, options);
  let before = 0;
  while (!decoder.step(1_000)) {
    assert.ok(decoder.at - before <= 1_100, `a step of 1,000 bytes took ${decoder.at - before}`);
    before = decoder.at;
  }
  assert.deepEqual(decoder.finish(), decode(text, "BYTES"));
});

test("at most 16 dimensions", () => {
  assert.equal(decode(`${"[".repeat(16)}1${"]".repeat(16)}`, "FP32").shape.length, 16);
  assert.match(rejected(`${"[".repeat(17)}1${"]".repeat(17)}`, "FP32"), /nested deeper than 16/);
  assert.match(rejected("[".repeat(250_000), "FP32"), /nested deeper than 16/);
});

test("broken arrays are rejected", () => {
  for (const json of [
    "",
    "[",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1,,2]",
    "[1 2]",
    "[1]]",
    "[1],",
    "1 2",
    "[1}",
    "{",
    "[01]",
    "[+1]",
    "[1x]",
    "[tru]",
  ]) {
    rejected(json, "FP32");
  }
});

test("BYTES elements: escapes, surrogate pairs, base64, and a length limit", () => {
  const tensor = decode('["a\\u00e9\\n","\\ud83d\\ude00",{"b64":"/wA="}, { "b64" : "" } ]', "BYTES");
  assert.deepEqual(tensor.shape, [4]);
  assert.deepEqual(
    Buffer.from(tensor.bytes),
    Buffer.from(packBytes([Buffer.from("aé\n"), Buffer.from("😀"), Buffer.from([255, 0]), new Uint8Array()])),
  );
  assert.equal(encode(tensor), '["aé\\n","😀",{"b64":"/wA="},""]');
  for (const json of [
    '["\\ud83d"]',
    '["\\x"]',
    '["a',
    '["\n"]',
    '[{"b64":"?"}]',
    '[{"x":"/wA="}]',
    '[{"b64":"/wA="',
  ]) {
    rejected(json, "BYTES");
  }
  assert.equal(decode('["abc"]', "BYTES", { maxElementBytes: 3 }).bytes.length, 7);
  assert.match(rejected('["abcd"]', "BYTES", { maxElementBytes: 3 }), /an element is longer than 3 bytes/);
  assert.match(rejected('[{"b64":"YWJjZA=="}]', "BYTES", { maxElementBytes: 3 }), /longer than 3 bytes/);
  assert.equal(decode('[{"b64":"YWJj"}]', "BYTES", { maxElementBytes: 3 }).bytes.length, 7);
});

test("any JSON string comes through as its UTF-8, and back", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" })), (texts) => {
      const tensor = decode(JSON.stringify(texts), "BYTES");
      assert.deepEqual(
        Buffer.from(tensor.bytes),
        Buffer.from(packBytes(texts.map((text) => Buffer.from(text)))),
      );
      assert.deepEqual(JSON.parse(encode(tensor)), texts);
    }),
  );
});

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const numeric = fc.constantFrom<Datatype>(
  "BOOL",
  "UINT8",
  "UINT16",
  "UINT32",
  "UINT64",
  "INT8",
  "INT16",
  "INT32",
  "INT64",
  "FP16",
  "BF16",
  "FP32",
  "FP64",
);

test("what is written is read back bit by bit, from any alignment, in slices too", () => {
  fc.assert(
    fc.property(
      numeric,
      shapes,
      fc.infiniteStream(fc.integer({ min: 0, max: 255 })),
      fc.nat(7),
      (datatype, shape, noise, offset) => {
        const size = shape.reduce((a, b) => a * b, 1) * elementBytes(datatype);
        const block = Uint8Array.from([...noise.take(size + offset)]);
        const bytes = datatype === "BOOL" ? block.subarray(offset).map((x) => x & 1) : block.subarray(offset);
        const text = encode({ datatype, shape, bytes });
        const json = Buffer.from(text);
        const options = { field: "data", datatype, shape: undefined };
        const decoder = new JsonTensorDecoder(json, { start: 0, end: json.length }, options);
        while (!decoder.step(3));
        const tensor = decoder.finish();
        const zero = shape.indexOf(0);
        assert.deepEqual(tensor.shape, zero < 0 ? shape : shape.slice(0, zero + 1));
        if (!text.includes("NaN")) assert.deepEqual(Buffer.from(tensor.bytes), Buffer.from(bytes));
        if (!/NaN|Inf/.test(text)) JSON.parse(text);
      },
    ),
    { numRuns: 2_000 },
  );
});

test("a text that is written in steps is the text that is written at once, however large the steps", () => {
  const numbers = (count: number): Uint8Array =>
    new Uint8Array(Float32Array.from({ length: count }, (_, i) => i / 7).buffer);
  const words = Array.from({ length: 900 }, (_, i) => Buffer.from("x".repeat(i % 40)));
  const tensors: readonly Tensor[] = [
    { datatype: "FP32", shape: [3000], bytes: numbers(3000) },
    { datatype: "FP32", shape: [2, 3, 500], bytes: numbers(3000) },
    { datatype: "FP32", shape: [600, 5], bytes: numbers(3000) },
    { datatype: "FP32", shape: [5, 0, 3], bytes: numbers(0) },
    { datatype: "FP32", shape: [], bytes: numbers(1) },
    { datatype: "BYTES", shape: [30, 30], bytes: packBytes(words) },
  ];
  for (const tensor of tensors) {
    for (const layout of ["flat", "nested"] as const) {
      for (const size of [1, 100, 1_000, 1e9]) {
        const out = new ByteWriter(16);
        const encoder = new JsonTensorEncoder(out, tensor, { layout, nonFinite: "bare" });
        let before = 0;
        for (let isDone = false; !isDone; before = out.at) {
          isDone = encoder.step(size);
          assert.ok(out.at - before <= size + 256 * 48, `${out.at - before} bytes in a step of ${size}`);
        }
        assert.equal(Buffer.from(out.finish()).toString(), encode(tensor, layout));
      }
    }
  }
});

test("float32 text has at most nine digits, and mostly the fewest that do", () => {
  const shortest: Array<[number, string]> = [
    [0.1, "0.1"],
    [0.3, "0.3"],
    [1 / 3, "0.33333334"],
    [16777216, "16777216"],
    [3.4028235e38, "3.4028235e+38"],
    [1e-45, "1e-45"],
    [1e-7, "1e-7"],
    [1.5e-10, "1.5e-10"],
    [0.000123, "0.000123"],
    [123456.79, "123456.79"],
    [1e10, "10000000000"],
    [-2.5, "-2.5"],
  ];
  for (const [value, text] of shortest) {
    assert.equal(
      encode({ datatype: "FP32", shape: [], bytes: new Uint8Array(Float32Array.of(value).buffer) }),
      text,
    );
  }
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const text = encode({
        datatype: "FP32",
        shape: [],
        bytes: new Uint8Array(Float32Array.of(value).buffer),
      });
      assert.ok(Object.is(Math.fround(JSON.parse(text)), value), `${value} → ${text}`);
      if (Math.abs(value) < 1e15) assert.ok(text.replace(/e.*$|^-?0\.0*|[-.]/g, "").length <= 15, text);
    }),
    { numRuns: 20_000 },
  );
});

test("every FP16 and BF16 value survives JSON; numbers between are rounded to even, those beyond to infinity", () => {
  for (const datatype of ["FP16", "BF16"] as const) {
    const bits = new Uint16Array(65_536).map((_, i) => i);
    const all = { datatype, shape: [bits.length], bytes: new Uint8Array(bits.buffer) };
    const back = decode(encode(all), datatype).bytes;
    const got = new Uint16Array(back.buffer, back.byteOffset, bits.length);
    const exponent = datatype === "FP16" ? 0x7c00 : 0x7f80;
    for (let i = 0; i < bits.length; i++) {
      const isNone = (i & exponent) === exponent && (i & (exponent ^ 0x7fff)) !== 0;
      if (isNone) assert.ok((got[i]! & 0x7fff) > exponent, `${datatype} ${i}`);
      else assert.equal(got[i], i, `${datatype} ${i}`);
    }
  }
  assert.equal(
    encode(decode("[70000, 65519.9, -1e400, 2049, 2051, 3e-8, 2e-8]", "FP16")),
    "[Infinity,65504,-Infinity,2048,2052,5.9604645e-8,0]",
  );
  assert.equal(
    encode(decode("[1.3, 257, 259, 3.4e38, -1e39]", "BF16")),
    "[1.296875,256,260,Infinity,-Infinity]",
  );
});
