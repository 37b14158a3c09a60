import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { float32Value, float64Value, newNumberLiteral, readNumber } from "./json-number.ts";

function read(text: string): ReturnType<typeof newNumberLiteral> | undefined {
  const literal = newNumberLiteral();
  const bytes = Buffer.from(text);
  return readNumber(bytes, 0, bytes.length, literal) ? literal : undefined;
}

function isBorder(value: number): boolean {
  const near = Math.fround(value);
  const other = 2 * value - near;
  return near !== value && Math.fround(other) === other;
}

function isExact(text: string): boolean {
  return (
    Number(text)
      .toPrecision(100)
      .replace(/0+(e|$)/, "$1") === text.replace(/0+(e|$)/, "$1")
  );
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
      const twice = Math.fround(Number(text));
      // Rounding twice is wrong only where the first rounding comes out on a border.
      if (isBorder(Number(text))) return;
      assert.equal(float32Value(bytes, 0, literal), twice);
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
          // Every border of a power up to 2^100 is written in full with 21 digits or is not on the border any more.
          if (isBorder(Number(text)) && !isExact(text)) continue;
          assert.equal(float32Value(Buffer.from(text), 0, literal), Math.fround(Number(text)));
        }
      },
    ),
  );
});

/** The float32 nearest to a decimal fraction, found among the neighbours of what a double rounding gives. */
function nearestFloat32(text: string): number {
  const [, sign, whole = "", fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text)!;
  const scale = 10n ** BigInt(fraction.length);
  const target = BigInt(sign + whole + fraction);
  const bits = new Int32Array(1);
  const float = new Float32Array(bits.buffer);
  float[0] = Number(text);
  const guess = bits[0]!;
  const far = (candidate: number): bigint => {
    bits[0] = candidate;
    // Candidates are multiples of 2⁻¹⁴⁹.
    const units = BigInt(Math.round(float[0]! * 2 ** 60)) * 2n ** 89n;
    const distance = (target << 149n) - units * scale;
    return distance < 0n ? -distance : distance;
  };
  const candidates = [guess - 1, guess, guess + 1].sort((a, b) => {
    const difference = far(a) - far(b);
    return difference === 0n ? (a & 1) - (b & 1) : difference < 0n ? -1 : 1;
  });
  bits[0] = candidates[0]!;
  return float[0]!;
}

test("a number just beside a float32 border is rounded once, not twice", () => {
  const border = "1.000000059604644775390625";
  assert.equal(Math.fround(Number(`${border}001`)), 1, "rounded twice it is wrong");
  for (const [text, expected] of [
    [border, 1],
    [`${border}${"0".repeat(400)}1`, 1 + 2 ** -23],
    [`-${border}${"0".repeat(400)}1`, -1 - 2 ** -23],
    ["1.000000059604644775390624999999", 1],
    ["1.000000178813934326171874999999", 1 + 2 ** -23],
    ["0.0000000000000000000000000000000000000000000007006492321624085354618e0", 0],
  ] as const) {
    const literal = read(text)!;
    assert.equal(float32Value(Buffer.from(text), 0, literal), expected, text);
  }
  fc.assert(
    fc.property(
      fc.integer({ min: 2 ** 23, max: 2 ** 24 - 2 }),
      fc.integer({ min: -20, max: 20 }),
      fc.integer({ min: -3, max: 3 }),
      fc.integer({ min: 0, max: 300 }),
      (mantissa, power, nudge, zeros) => {
        // Half way between two float32, in all its digits, and a hair to either side.
        const value = (mantissa + 0.5) * 2 ** power;
        const digits =
          BigInt(Math.round(value * 2 ** 25)) * 5n ** 25n * 10n ** BigInt(zeros + 1) + BigInt(nudge);
        const places = 26 + zeros;
        const all = digits.toString().padStart(places + 1, "0");
        const text = `${all.slice(0, -places)}.${all.slice(-places)}`;
        const literal = read(text)!;
        assert.equal(float32Value(Buffer.from(text), 0, literal), nearestFloat32(text), text);
      },
    ),
    { numRuns: 2_000 },
  );
});

test("a number is not looked at further than a number may reach", () => {
  for (const text of [
    "9".repeat(5_000),
    `0.${"9".repeat(5_000)}`,
    `1e${"9".repeat(5_000)}`,
    `${"9".repeat(999)}.5e1`,
  ]) {
    assert.equal(read(text)?.end, 1001, text.slice(0, 9));
  }
  assert.equal(read("9".repeat(1_000))?.end, 1_000);
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
