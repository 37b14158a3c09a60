import type { RollbackReason, RolloutSettings, RolloutState } from "../../base/rollout.ts";
import type { StepVerdict } from "./judge-rollout.ts";

/** What can happen to a rollout. */
export type RolloutEvent =
  /** The new version is ready, for the first time or with other files. */
  | { readonly kind: "loaded" }
  /** It is not in memory any more, nor is the old one. */
  | { readonly kind: "unloaded" }
  | { readonly kind: "judged"; readonly verdict: StepVerdict }
  | { readonly kind: "advance"; readonly share: number | undefined }
  | { readonly kind: "pause" }
  | { readonly kind: "resume" }
  | { readonly kind: "promote"; readonly detail: string }
  | { readonly kind: "roll_back"; readonly reason: RollbackReason; readonly detail: string };

/** Whether nothing more happens in this state. */
export function isOver(state: RolloutState): boolean {
  return state.kind === "promoted" || state.kind === "rolled_back";
}

/**
 * The state after an event; the same object where the event changes nothing.
 *
 * loading → canary (one step after the other) → promoted | rolled back
 */
export function nextState(
  state: RolloutState,
  event: RolloutEvent,
  { settings, nowMs }: { readonly settings: RolloutSettings; readonly nowMs: number },
): RolloutState {
  if (isOver(state)) return state;
  switch (event.kind) {
    case "loaded":
      return atStep(0, { settings, nowMs, isPaused: false });
    case "unloaded":
      return state.kind === "loading" ? state : { kind: "loading" };
    case "promote":
      return { kind: "promoted", detail: event.detail };
    case "roll_back":
      return { kind: "rolled_back", reason: event.reason, detail: event.detail };
  }
  if (state.kind !== "canary") return state;
  switch (event.kind) {
    case "pause":
      return state.isPaused ? state : { ...state, isPaused: true };
    case "resume":
      return state.isPaused ? { ...state, isPaused: false } : state;
    case "advance":
      return advanced(state, event.share, { settings, nowMs });
    case "judged":
      return judged(state, event.verdict, { settings, nowMs });
  }
}

type Canary = Extract<RolloutState, { readonly kind: "canary" }>;

interface Circumstances {
  readonly settings: RolloutSettings;
  readonly nowMs: number;
}

function judged(state: Canary, verdict: StepVerdict, { settings, nowMs }: Circumstances): RolloutState {
  if (verdict.kind === "bad") return { kind: "rolled_back", reason: verdict.reason, detail: verdict.detail };
  if (verdict.kind === "open" || nowMs - state.sinceMs < settings.windowMs) return state;
  const isLast = state.step + 1 >= settings.shares.length;
  if (state.isPaused || (isLast && settings.promotion === "manual")) return { ...state, sinceMs: nowMs };
  if (isLast) return { kind: "promoted", detail: "every step ended well" };
  return atStep(state.step + 1, { settings, nowMs, isPaused: false });
}

/** To the next step, or to a share that the steps do not have: the step it stands on is the last one below. */
function advanced(
  state: Canary,
  share: number | undefined,
  { settings, nowMs }: Circumstances,
): RolloutState {
  const { isPaused } = state;
  if (share !== undefined) {
    const step = Math.max(
      0,
      settings.shares.findLastIndex((each) => each <= share),
    );
    return { kind: "canary", step, share, sinceMs: nowMs, isPaused };
  }
  if (state.step + 1 < settings.shares.length) return atStep(state.step + 1, { settings, nowMs, isPaused });
  return { kind: "promoted", detail: "asked for beyond the last step" };
}

function atStep(
  step: number,
  { settings, nowMs, isPaused }: Circumstances & { readonly isPaused: boolean },
): Canary {
  return { kind: "canary", step, share: settings.shares[step]!, sinceMs: nowMs, isPaused };
}
