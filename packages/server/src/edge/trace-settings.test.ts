import assert from "node:assert/strict";
import { test } from "node:test";
import { adjustableTraceSettings, FIXED_TRACE_SETTINGS } from "./trace-settings.ts";

type Sampled = readonly [ratio: number, most: number | undefined];

function adjustable(ratio: number) {
  const sampled: Sampled[] = [];
  const settings = adjustableTraceSettings(ratio, {
    sample: (part, most) => void sampled.push([part, most]),
  });
  const change = (wanted: object, model?: string) => settings.change(Object.entries(wanted), model);
  return { settings, change, sampled };
}

test("settings that are not for requests to change stay, and what is so already passes", () => {
  FIXED_TRACE_SETTINGS.change([["trace_level", ["OFF"]]], "digits");
  assert.throws(() => FIXED_TRACE_SETTINGS.change([["trace_level", "TIMESTAMPS"]], undefined), {
    reason: "unsupported_extension",
  });
});

test("level, rate and count say which traces are recorded, and nothing for a value is the operator's", () => {
  const { settings, change, sampled } = adjustable(0.03);
  assert.deepEqual(settings.current()["trace_level"], ["TIMESTAMPS"]);
  assert.equal(settings.current()["trace_rate"], "33");
  change({ trace_level: ["OFF"] });
  change({ trace_level: "TIMESTAMPS", trace_rate: "4", trace_count: 10 });
  change({ trace_rate: null, trace_count: null });
  assert.deepEqual(sampled, [
    [0, undefined],
    [0.25, 10],
    [0.03, undefined],
  ]);
});

test("a model has the settings of all: asking for those, or for none of its own, is fine", () => {
  const { settings, change, sampled } = adjustable(0);
  change({ trace_level: "TIMESTAMPS", trace_rate: "4" });
  const before = settings.current();
  // As Triton's clients clear what a model has of its own, and say again what they have read.
  change({ trace_level: null, trace_rate: null, trace_count: null, log_frequency: null }, "digits");
  change({ trace_level: ["TIMESTAMPS"], trace_rate: "4", trace_file: "" }, "digits");
  for (const wrong of [{ trace_rate: "1" }, { trace_level: ["OFF"] }, { trace_file: "/tmp/a" }])
    assert.throws(() => change(wrong, "digits"), /for all models: ask without the model "digits"/);
  assert.throws(() => change({ nope: null }, "digits"), /nope/);
  assert.equal(settings.current(), before);
  assert.equal(sampled.length, 1);
});

test("what is no level, rate or count changes nothing", () => {
  const { settings, change, sampled } = adjustable(0);
  const before = settings.current();
  for (const wrong of [
    { trace_level: "TENSORS" },
    { trace_level: [] },
    { trace_level: "TIMESTAMPS", trace_rate: "0" },
    { trace_rate: "1.5" },
    { trace_rate: ["1", "2"] },
    { trace_count: "-2" },
    { trace_count: 2 ** 31 },
    { trace_file: "/etc/passwd" },
    { nope: 1 },
    { nope: null },
  ])
    assert.throws(() => change(wrong), { code: "invalid_argument" }, JSON.stringify(wrong));
  change({}, "digits");
  assert.equal(settings.current(), before);
  assert.deepEqual(sampled, []);
});
