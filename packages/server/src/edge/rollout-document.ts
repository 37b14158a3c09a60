import type { RolloutState, RolloutStatus, SideStatus } from "../base/rollout.ts";

/** What a client is told of a model's rollout. */
export function rolloutDocument(model: string, status: RolloutStatus | undefined): object {
  if (status === undefined) return { name: model, state: "steady" };
  const { state, settings, stable, candidate, compared } = status;
  return {
    name: model,
    state: state.kind,
    ...detailsOf(state),
    steps: settings.shares,
    window_ms: settings.windowMs,
    min_requests: settings.minRequests,
    by: settings.by,
    stable: sideDocument(stable),
    candidate: sideDocument(candidate),
    ...(settings.shadowShare > 0 && { compared }),
  };
}

function detailsOf(state: RolloutState): object {
  switch (state.kind) {
    case "loading":
      return {};
    case "canary":
      return { share: state.share, step: state.step, paused: state.isPaused };
    case "promoted":
      return { detail: state.detail };
    case "rolled_back":
      return { reason: state.reason, detail: state.detail };
  }
}

function sideDocument({ version, requests, failed, p95Ms }: SideStatus): object {
  return { version, requests, failed, ...(p95Ms !== undefined && { p95_ms: Number(p95Ms.toPrecision(3)) }) };
}
