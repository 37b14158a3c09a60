import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { JsonTensorDecoder } from "./json-tensor-decode.ts";

const FP32 = { field: "data", datatype: "FP32", shape: undefined } as const;

/** Decoded in steps of so many bytes; what was wrong, if anything. */
function decode(text: string, stepBytes = Number.POSITIVE_INFINITY): Float32Array | string {
  const bytes = Buffer.from(text);
  try {
    const decoder = new JsonTensorDecoder(bytes, { start: 0, end: bytes.length }, FP32);
    while (!decoder.step(stepBytes));
    return new Float32Array(decoder.finish().bytes.slice().buffer);
  } catch (error) {
    return String(error);
  }
}

const digits = (most: number) =>
  fc.array(fc.constantFrom(..."0123456789"), { minLength: 1, maxLength: most }).map((list) => list.join(""));
const literal = fc
  .tuple(
    fc.constantFrom("", "-"),
    digits(22),
    fc.option(digits(22)),
    fc.constantFrom("", "", "", "e1", "E-7"),
  )
  .map(([sign, whole, part, power]) => {
    const trimmed = whole.replace(/^0+(?=\d)/, "");
    return `${sign}${trimmed}${part === null ? "" : `.${part}`}${power}`;
  });
const spelled = fc.oneof(
  literal,
  fc.float({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.double({ min: -1e4, max: 1e4, noNaN: true }).map((value) => value.toFixed(6)),
);

test("a number in a row of numbers is the number that it is alone", () => {
  fc.assert(
    fc.property(
      fc.array(spelled, { minLength: 1, maxLength: 40 }),
      fc.constantFrom(",", ", ", ",  ", " ,", ",\n"),
      fc.integer({ min: 1, max: 64 }),
      (literals, comma, step) => {
        const alone = literals.map((text) => decode(text));
        const wrong = alone.find((one) => typeof one === "string");
        const text = `[${literals.join(comma)}]`;
        for (const row of [decode(text), decode(text, step)]) {
          if (wrong !== undefined) assert.equal(typeof row, "string", text);
          else
            assert.deepEqual(
              row,
              Float32Array.from(alone, (one) => (one as Float32Array)[0]!),
              text,
            );
        }
      },
    ),
  );
});

test("what is no number is none in a row either", () => {
  for (const wrong of [
    "01",
    "-",
    "1.",
    ".5",
    "1..2",
    "1.2.3",
    "--1",
    "+1",
    "1e",
    "",
    "1_0",
    "0x1",
    "00.5",
    "12345678901234567890.",
  ]) {
    for (const row of [`[1,${wrong},2]`, `[1, ${wrong}, 2]`, `[1,2,${wrong}]`]) {
      assert.equal(typeof decode(row), "string", row);
    }
  }
  assert.equal(typeof decode("[1,2,"), "string");
  assert.equal(typeof decode("[1,2"), "string");
  assert.equal(typeof decode("[1,]"), "string");
  assert.deepEqual(decode("[-0,0,1,2]"), Float32Array.of(-0, 0, 1, 2));
});

test("borders between two float32s go to the even one, and a last digit decides", () => {
  // 1 + 2^-24 lies between 1 and the next; 16777217 between 16777216 and 16777218.
  const texts = [
    "1.000000059604644775390625",
    "1.00000005960464477",
    "1.00000005960464478",
    "16777217",
    "16777219",
  ];
  assert.deepEqual(
    decode(`[${texts.join(",")},0]`),
    Float32Array.of(1, 1, 1.0000001192092896, 16777216, 16777220, 0),
  );
});
