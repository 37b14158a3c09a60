import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { RolloutSettings, RolloutState } from "../../base/rollout.ts";
import { ROLLOUT_SETTINGS } from "./rollout.kit.ts";
import { isOver, nextState, type RolloutEvent } from "./rollout-state.ts";

const GOOD: RolloutEvent = { kind: "judged", verdict: { kind: "good" } };
const OPEN: RolloutEvent = { kind: "judged", verdict: { kind: "open" } };
const BAD: RolloutEvent = {
  kind: "judged",
  verdict: { kind: "bad", reason: "errors", detail: "all failed" },
};

/** The states after each of these events, each a window after the one before. */
function through(events: readonly RolloutEvent[], settings: Partial<RolloutSettings> = {}): string[] {
  let state: RolloutState = { kind: "loading" };
  return events.map((event, i) => {
    const all = { ...ROLLOUT_SETTINGS, ...settings };
    state = nextState(state, event, { settings: all, nowMs: (i + 1) * all.windowMs });
    return state.kind === "canary" ? `${state.share}${state.isPaused ? " paused" : ""}` : state.kind;
  });
}

describe("a rollout", () => {
  test("goes through its steps and is promoted", () => {
    assert.deepEqual(through([{ kind: "loaded" }, OPEN, GOOD, OPEN, GOOD, BAD]), [
      "0.1",
      "0.1",
      "0.5",
      "0.5",
      "promoted",
      "promoted",
    ]);
  });

  test("stays on a step for its window", () => {
    const at = (nowMs: number) => ({ settings: ROLLOUT_SETTINGS, nowMs });
    const begun = nextState({ kind: "loading" }, { kind: "loaded" }, at(1000));
    assert.equal(nextState(begun, GOOD, at(60_999)), begun);
    assert.deepEqual(nextState(begun, GOOD, at(61_000)), {
      kind: "canary",
      step: 1,
      share: 0.5,
      sinceMs: 61_000,
      isPaused: false,
    });
  });

  test("ends when it is bad, paused or not, and begins again with other files", () => {
    assert.deepEqual(through([{ kind: "loaded" }, BAD]), ["0.1", "rolled_back"]);
    assert.deepEqual(through([{ kind: "loaded" }, { kind: "pause" }, GOOD, BAD]), [
      "0.1",
      "0.1 paused",
      "0.1 paused",
      "rolled_back",
    ]);
    assert.deepEqual(through([{ kind: "loaded" }, GOOD, { kind: "loaded" }]), ["0.1", "0.5", "0.1"]);
    assert.deepEqual(through([{ kind: "loaded" }, GOOD, { kind: "unloaded" }, GOOD, { kind: "loaded" }]), [
      "0.1",
      "0.5",
      "loading",
      "loading",
      "0.1",
    ]);
  });

  test("is promoted by hand where that is asked for", () => {
    const promote = { kind: "promote", detail: "asked for" } as const;
    assert.deepEqual(through([{ kind: "loaded" }, GOOD, GOOD, GOOD, promote], { promotion: "manual" }), [
      "0.1",
      "0.5",
      "0.5",
      "0.5",
      "promoted",
    ]);
  });

  test("advances by hand, to a step or a share, and past the last one is promoted", () => {
    const advance = (share?: number) => ({ kind: "advance", share }) as const;
    assert.deepEqual(through([{ kind: "loaded" }, advance(), advance()]), ["0.1", "0.5", "promoted"]);
    assert.deepEqual(through([{ kind: "loaded" }, advance(0.3), GOOD, GOOD]), [
      "0.1",
      "0.3",
      "0.5",
      "promoted",
    ]);
    assert.deepEqual(through([{ kind: "loaded" }, GOOD, advance(0.05), GOOD]), ["0.1", "0.5", "0.05", "0.5"]);
    assert.deepEqual(through([advance(), { kind: "pause" }]), ["loading", "loading"]);
  });

  test("sends nothing to a version that is not loaded, and never comes back from its end", () => {
    const event = fc.oneof(
      fc.constantFrom<RolloutEvent>(GOOD, OPEN, BAD, { kind: "loaded" }, { kind: "unloaded" }),
      fc.constantFrom<RolloutEvent>({ kind: "pause" }, { kind: "resume" }),
      fc.constantFrom<RolloutEvent>(
        { kind: "promote", detail: "" },
        { kind: "roll_back", reason: "aborted", detail: "" },
      ),
      fc
        .option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined })
        .map((share): RolloutEvent => ({ kind: "advance", share })),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        let state: RolloutState = { kind: "loading" };
        let isLoaded = false;
        for (const [i, each] of events.entries()) {
          const before: RolloutState = state;
          state = nextState(before, each, { settings: ROLLOUT_SETTINGS, nowMs: i * 30_000 });
          if (isOver(before)) assert.equal(state, before);
          if (each.kind === "loaded") isLoaded = true;
          if (each.kind === "unloaded") isLoaded = false;
          if (state.kind === "canary") {
            assert.ok(isLoaded && state.share >= 0 && state.share <= 1);
            assert.ok(state.step >= 0 && state.step < ROLLOUT_SETTINGS.shares.length);
          }
          if (each === BAD && before.kind === "canary") assert.equal(state.kind, "rolled_back");
        }
      }),
    );
  });
});
