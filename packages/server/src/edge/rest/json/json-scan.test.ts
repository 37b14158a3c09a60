import assert from "node:assert/strict";
import { test } from "node:test";
import { JsonScanner, type Pattern, type Span } from "./json-scan.ts";

const LIMITS = { maxJsonDepth: 8, maxEnvelopeBytes: 400, maxTensors: 3 };
const PATTERN: Pattern = {
  keys: {
    inputs: { isTensors: true, items: { keys: { data: { capture: true } } } },
    parameters: { anyKey: { capture: true } },
  },
};

/** The captured spans, or the error, after steps of this size. */
function scan(text: string, step: number): readonly Span[] | string {
  const bytes = Buffer.from(text);
  const scanner = new JsonScanner(
    bytes,
    { start: 0, end: bytes.length },
    { pattern: PATTERN, limits: LIMITS },
  );
  try {
    while (!scanner.step(step));
    return scanner.spans;
  } catch (error) {
    return (error as Error).message;
  }
}

const LONG = "x".repeat(500);
const TEXTS: readonly string[] = [
  '{"inputs":[{"data":[1,2,[3,{"a":"]"}]],"name":"x"},{"data":"a\\"b,\\\\"}],"parameters":{"p":1,"q":[]}}',
  `{ "inputs" : [ { "data" : ["${LONG}", "\\u0041\\\\"] , "x" : null } ] }`,
  `{"inputs":[{"data":"${LONG}`,
  `{"inputs":[{"data":["${LONG}\\`,
  '{"inputs":[{"data":[1,2',
  '{"inputs":[{"data":[1,"a\u0001"]}]}',
  '{"inputs":[{"data":}]}',
  '{"inputs":[{"data":[[[[[[[[1]]]]]]]]}]}',
  '{"inputs":[{"data":1},{"data":2},{"data":3}]}',
  '{"inputs":[{"data":1},{"data":2},{"data":3},{"data":4}]}',
  '{"inputs":[],"inputs":[]}',
  `{"inputs":[],"long":"${LONG}"}`,
  `{"inputs":[]${" ".repeat(500)}}`,
  '{"inputs":[]} x',
  "",
];

test("a text is scanned alike in steps of any size", () => {
  for (const text of TEXTS) {
    const whole = scan(text, Number.POSITIVE_INFINITY);
    for (const step of [1, 2, 3, 7, 64, 300]) assert.deepEqual(scan(text, step), whole, text.slice(0, 60));
  }
  const spans = scan(TEXTS[0]!, 1) as readonly Span[];
  assert.deepEqual(
    spans.map(({ start, end }) => TEXTS[0]!.slice(start, end)),
    ['[1,2,[3,{"a":"]"}]]', '"a\\"b,\\\\"', "1", "[]"],
  );
});

test("a step ends soon after its bytes, inside of a string, too", () => {
  const text = `{"inputs":[{"data":["${"x".repeat(100_000)}",${"1,".repeat(50_000)}1]}]}`;
  const bytes = Buffer.from(text);
  const scanner = new JsonScanner(
    bytes,
    { start: 0, end: bytes.length },
    { pattern: PATTERN, limits: LIMITS },
  );
  let steps = 1;
  while (!scanner.step(1_000)) steps += 1;
  assert.ok(steps >= 199, `${steps} steps`);
});

test("a list of too many tensors is rejected where it becomes too long, whatever follows", () => {
  const many = `{"inputs":[${'{"data":1},'.repeat(4)}`;
  assert.match(String(scan(`${many} what is this`, 10)), /lists more than 3 tensors/);
});
