import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../base/manual-clock.kit.ts";
import { SPAN_KINDS, type TraceSpan } from "./span.ts";
import { SpanMaker } from "./span-maker.ts";

const SPAN: TraceSpan = {
  traceId: "ab".repeat(16),
  spanId: "cd".repeat(8),
  parentSpanId: "",
  isParentRemote: false,
  traceState: "",
  name: "s",
  kind: SPAN_KINDS.internal,
  startMs: 1,
  endMs: 2,
  attributes: [],
  links: [],
  error: undefined,
};

function rig() {
  const clock = new ManualClock();
  const seen = { made: 0, encoded: 0, spans: 0, lost: 0 };
  const maker = new SpanMaker({
    clock,
    onEncoded(bytes, spans) {
      assert.ok(bytes.length > 0);
      seen.encoded += 1;
      seen.spans += spans;
    },
    onLost() {
      seen.lost += 1;
    },
  });
  const make = (): readonly TraceSpan[] => {
    seen.made += 1;
    return [SPAN, SPAN];
  };
  return { clock, maker, make, seen };
}

test("spans are made when some have gathered, after a moment at most, and at the end", () => {
  const { clock, maker, make, seen } = rig();
  for (let i = 0; i < 15; i++) maker.add(make);
  assert.equal(seen.made, 0);
  maker.add(make);
  assert.deepEqual(seen, { made: 16, encoded: 16, spans: 32, lost: 0 });
  maker.add(make);
  clock.advance(249);
  assert.equal(seen.made, 16);
  clock.advance(1);
  assert.equal(seen.made, 17);
  maker.add(make);
  maker.flush();
  assert.equal(seen.made, 18);
});

test("spans that cannot be made are counted, and the others are taken", () => {
  const { maker, make, seen } = rig();
  maker.add(make);
  maker.add(() => {
    throw new Error("no memory");
  });
  maker.add(() => [{ ...SPAN, traceId: undefined as unknown as string }]);
  maker.add(make);
  maker.flush();
  assert.deepEqual(seen, { made: 2, encoded: 2, spans: 4, lost: 2 });
});
