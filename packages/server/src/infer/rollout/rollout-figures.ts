import type { RolloutSettings, RolloutStatus, SideStatus } from "../../base/rollout.ts";
import type { VersionTrial } from "../../models/version-trial.ts";
import type { ShadowResult } from "../shadow/shadow-comparisons.ts";
import { judgeRollout, type StepVerdict } from "./judge-rollout.ts";
import type { CandidateRequest, Side } from "./rollout-request.ts";
import { RolloutWindow } from "./rollout-window.ts";

/** What both versions did since a step began. */
export class RolloutFigures {
  /** Requests that the new version has not answered, the oldest first. */
  readonly open: Set<CandidateRequest> = new Set();
  readonly #settings: RolloutSettings;
  #windows: Readonly<Record<Side, RolloutWindow>> = newWindows();
  #compared = { equal: 0, differing: 0, failed: 0 };
  /** Of the old version in earlier steps, for those in which it answers too little. */
  #usualP95Ms: number | undefined;

  constructor(settings: RolloutSettings) {
    this.#settings = settings;
  }

  /** A step begins. */
  begin(): void {
    const { stable } = this.#windows;
    if (stable.requests >= this.#settings.minRequests) this.#usualP95Ms = stable.p95Ms;
    this.#windows = newWindows();
    this.#compared = { equal: 0, differing: 0, failed: 0 };
  }

  answered(side: Side, latencyMs: number): void {
    this.#windows[side].answered(latencyMs);
  }

  failed(side: Side): void {
    this.#windows[side].fail();
  }

  compared(result: Exclude<ShadowResult, "dropped">): void {
    this.#compared[result] += 1;
  }

  judge(nowMs: number): StepVerdict {
    const { stable, candidate } = this.#windows;
    const isTooFew = stable.requests < this.#settings.minRequests;
    const p95Ms = isTooFew ? (this.#usualP95Ms ?? stable.p95Ms) : stable.p95Ms;
    return judgeRollout(this.#settings, {
      stable: { requests: stable.requests, failed: stable.failed, p95Ms },
      candidate: {
        requests: candidate.requests,
        failed: candidate.failed,
        p95Ms: candidate.p95Ms,
        slowerThan: (ms) => candidate.slowerThan(ms) + this.#openSince(nowMs - ms),
      },
      compared: this.#compared,
    });
  }

  /** For people. */
  read(trial: VersionTrial): Pick<RolloutStatus, "stable" | "candidate" | "compared"> {
    const side = (of: Side): SideStatus => {
      const { requests, failed, p95Ms } = this.#windows[of];
      return { version: trial[of], requests, failed, p95Ms };
    };
    return { stable: side("stable"), candidate: side("candidate"), compared: { ...this.#compared } };
  }

  /** How many of the new version's began before. */
  #openSince(beforeMs: number): number {
    let count = 0;
    for (const { startMs } of this.open) {
      if (startMs >= beforeMs) break;
      count += 1;
    }
    return count;
  }
}

function newWindows(): Record<Side, RolloutWindow> {
  return { stable: new RolloutWindow(), candidate: new RolloutWindow() };
}
