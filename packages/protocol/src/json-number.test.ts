import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { float32Value, float64Value, newNumberLiteral, readNumber } from "./json-number.ts";

function read(text: string): ReturnType<typeof newNumberLiteral> | undefined {
  const literal = newNumberLiteral();
  const bytes = Buffer.from(text);
  return readNumber(bytes, 0, bytes.length, literal) ? literal : undefined;
}

const literals = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x.toExponential(20)),
  fc.float({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
  fc
    .tuple(
      fc.stringMatching(/^-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?$/),
      fc.integer({ min: -340, max: 320 }),
      fc.boolean(),
    )
    .map(([digits, exponent, withExponent]) => (withExponent ? `${digits}e${exponent}` : digits)),
);

test("every literal is worth what JSON.parse says, and its float32 what that rounds to", () => {
  fc.assert(
    fc.property(literals, (text) => {
      const bytes = Buffer.from(text);
      const literal = read(text);
      assert.ok(literal !== undefined);
      assert.equal(literal.end, bytes.length);
      assert.equal(float64Value(bytes, 0, literal), Number(text));
      assert.equal(float32Value(bytes, 0, literal), Math.fround(Number(text)));
    }),
    { numRuns: 20_000 },
  );
});

test("float32 borders between two values are decided exactly", () => {
  fc.assert(
    fc.property(
      fc.float({ noNaN: true, noDefaultInfinity: true, min: 2 ** -100, max: 2 ** 100 }),
      (value) => {
        const bits = new Uint32Array(1);
        const float = new Float32Array(bits.buffer);
        float[0] = value;
        bits[0]! += 1;
        const border = (value + float[0]!) / 2;
        for (const text of [border, border * (1 + 2 ** -52), border * (1 - 2 ** -52)].map((x) =>
          x.toPrecision(21),
        )) {
          const literal = read(text)!;
          assert.equal(float32Value(Buffer.from(text), 0, literal), Math.fround(Number(text)));
        }
      },
    ),
  );
});

test("what JSON does not call a number is none", () => {
  for (const text of ["", "-", "+1", ".5", "1.", "01", "-01", "1e", "1e+", "e5", "--1", "1.e5", "- 1", "x"]) {
    assert.equal(read(text), undefined, text);
  }
});

test("reading stops where the number ends", () => {
  assert.equal(read("1.5,2")?.end, 3);
  assert.equal(read("1.2.3")?.end, 3);
  assert.equal(read("0]")?.end, 1);
  assert.equal(read("1e5e5")?.end, 3);
});
