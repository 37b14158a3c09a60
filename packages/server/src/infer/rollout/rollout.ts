import type { Clock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse } from "../../base/infer-request.ts";
import type { Logger } from "../../base/logger.ts";
import type { Metrics } from "../../base/metrics.ts";
import type { ResultReceiver } from "../../base/result-receiver.ts";
import type { RolloutSettings, RolloutState, RolloutStatus } from "../../base/rollout.ts";
import type { ManagedRegistry } from "../../models/managed-registry.ts";
import type { ServedModel } from "../../models/registry.ts";
import type { ServedModelHandle } from "../../models/served-model-handle.ts";
import type { TrialStatus, VersionTrial } from "../../models/version-trial.ts";
import type { CheckedSubmit } from "../checked-submit.ts";
import type { ShadowResult } from "../shadow/shadow-comparisons.ts";
import { whyUnlike } from "./alike-signatures.ts";
import { RolloutFigures } from "./rollout-figures.ts";
import { createRolloutMetrics, type RolloutMetrics } from "./rollout-metrics.ts";
import {
  type AskedOutcome,
  CandidateRequest,
  type RequestLeader,
  type Side,
  StableRequest,
} from "./rollout-request.ts";
import { RolloutRoutes, type RoutedRequest } from "./rollout-routes.ts";
import { createRolloutShadow, type RolloutShadow } from "./rollout-shadow.ts";
import { RolloutSides, type ServingSide } from "./rollout-sides.ts";
import { isOver, nextState, type RolloutEvent } from "./rollout-state.ts";
import { wordsOfState } from "./rollout-words.ts";
import { tellOfRollout } from "./tell-of-rollout.ts";

export interface RolloutParts {
  readonly registry: Pick<ManagedRegistry, "lookup" | "noteTrial" | "endTrial">;
  readonly submitChecked: CheckedSubmit;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Calls back once whoever waits for the event loop had a turn. */
  readonly defer: (callback: () => void) => void;
}

/** How often a rollout is judged, whatever happens meanwhile. */
const LOOK_MS = 1000;
/** How long sequences that are live when a rollout ends keep their version. */
const SEQUENCES_MS = 10 * 60_000;

/** One model's way from one version to the next: sends requests to both, judges the new one, and ends with either. */
export class Rollout implements RequestLeader {
  readonly model: string;
  readonly trial: VersionTrial;
  readonly settings: RolloutSettings;
  readonly #parts: RolloutParts;
  readonly #metrics: RolloutMetrics;
  readonly #counters: Readonly<Record<Side, ReturnType<RolloutMetrics["requests"]>>>;
  readonly #sides: RolloutSides;
  readonly #figures: RolloutFigures;
  #state: RolloutState = { kind: "loading" };
  #shadow: RolloutShadow | undefined;
  /** As last seen; with other files it is another one. */
  #candidate: ServedModelHandle | undefined;
  #hadStable = false;
  #endedMs = 0;
  #isClosed = false;
  #cancelTimer: () => void = () => {};

  constructor(
    model: string,
    trial: VersionTrial,
    parts: RolloutParts & { readonly settings: RolloutSettings },
  ) {
    const { settings } = parts;
    this.model = model;
    this.trial = { stable: trial.stable, candidate: trial.candidate };
    this.settings = settings;
    this.#parts = parts;
    this.#metrics = createRolloutMetrics(parts.metrics, model, trial.candidate);
    this.#counters = {
      stable: this.#metrics.requests(trial.stable),
      candidate: this.#metrics.requests(trial.candidate),
    };
    const salt = `${model}\n${trial.candidate}`;
    this.#sides = new RolloutSides({
      routes: new RolloutRoutes({ settings, salt, random: parts.random }),
      lookup: (side) => parts.registry.lookup(model, this.trial[side]),
      nowMs: () => this.nowMs(),
    });
    this.#figures = new RolloutFigures(settings);
    this.#metrics.share.set(0);
    this.#watch();
  }

  get state(): RolloutState {
    return this.#state;
  }

  /** No request comes by it any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  get status(): RolloutStatus {
    const { model, settings, trial } = this;
    return { model, state: this.#state, settings, ...this.#figures.read(trial) };
  }

  /** Takes note of what became of the two versions. */
  look({ stableHandle, candidateHandle, failure }: TrialStatus): void {
    if (isOver(this.#state)) return;
    if (failure !== undefined) {
      const reason = this.#candidate === undefined ? "load_failed" : "failed";
      this.happen({ kind: "roll_back", reason, detail: failure });
    } else if (candidateHandle === undefined) this.#onGone(stableHandle);
    else if (stableHandle === undefined) {
      if (this.#hadStable) this.happen({ kind: "promote", detail: "the old version is gone" });
    } else {
      this.#hadStable = true;
      if (candidateHandle !== this.#candidate) this.#onLoaded(stableHandle, candidateHandle);
      else this.#shadow?.follow(stableHandle);
    }
  }

  /** The next state, and what follows from it. */
  happen(event: RolloutEvent): void {
    const before = this.#state;
    const state = nextState(before, event, { settings: this.settings, nowMs: this.#parts.clock.nowMs() });
    if (state === before) return;
    this.#state = state;
    const isNewStep = state.kind !== "canary" || before.kind !== "canary" || state.sinceMs !== before.sinceMs;
    if (isNewStep && !isOver(state)) this.#figures.begin();
    this.#metrics.share.set(this.#share);
    this.#parts.registry.noteTrial(this.model, wordsOfState(state, this.trial));
    const { trial, status } = this;
    tellOfRollout(this.#parts.logger, { before, trial, share: this.#share, status });
    if (isOver(state)) this.#end();
  }

  /** Submits a request that names no version; false: neither version serves. */
  submit(request: InferRequest, receiver: ResultReceiver<InferResponse>): boolean {
    let side: Side;
    try {
      side = this.#sides.sideOf(request, this.#state, this.#candidate);
    } catch (thrown) {
      receiver.reject(ServeError.from(thrown));
      return true;
    }
    const chosen = this.#sides.available(side);
    if (chosen === undefined) return false;
    if (chosen.side === "candidate") new CandidateRequest(this, request, receiver).run(chosen.served);
    else this.#askStable(chosen.served, request, receiver);
    return true;
  }

  /** The version that a request of this tenant goes to which is no part of a sequence; undefined: neither serves. */
  choose(request: RoutedRequest): ServingSide | undefined {
    return this.#sides.available(this.#sides.routeOf(request, this.#state));
  }

  /** Ends it without a word to the registry. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
    this.#shadow?.close();
    this.#shadow = undefined;
    this.#metrics.share.set(0);
  }

  nowMs(): number {
    return this.#parts.clock.nowMs();
  }

  submitTo(served: ServedModel, request: InferRequest, receiver: ResultReceiver<InferResponse>): void {
    const isStable = served.version === this.trial.stable;
    const model = isStable ? (this.#shadow?.around(served) ?? served) : served;
    this.#parts.submitChecked(model, request, receiver);
  }

  substitute(): ServedModelHandle | undefined {
    // Requests that the new version holds when it is rolled back need one most.
    return this.#state.kind === "promoted" ? undefined : this.#sides.find("stable");
  }

  began(request: CandidateRequest): void {
    this.#figures.open.add(request);
  }

  settled(request: CandidateRequest): void {
    this.#figures.open.delete(request);
  }

  ended({ side, latencyMs, isReplaced }: AskedOutcome): void {
    this.#counters[side][isReplaced ? "replaced" : latencyMs === undefined ? "failed" : "ok"].add(1);
    if (latencyMs !== undefined) this.#figures.answered(side, latencyMs);
    else {
      this.#figures.failed(side);
      this.judge();
    }
  }

  judge(): void {
    if (this.#state.kind === "canary")
      this.happen({ kind: "judged", verdict: this.#figures.judge(this.nowMs()) });
  }

  get #share(): number {
    if (this.#state.kind === "canary") return this.#state.share;
    return this.#state.kind === "promoted" ? 1 : 0;
  }

  #askStable(served: ServedModel, request: InferRequest, receiver: ResultReceiver<InferResponse>): void {
    const asked = new StableRequest(this, receiver);
    try {
      this.submitTo(served, request, asked);
    } catch (thrown) {
      asked.reject(ServeError.from(thrown));
    }
  }

  #onGone(stableHandle: ServedModelHandle | undefined): void {
    if (this.#candidate === undefined) return;
    this.#candidate = undefined;
    if (stableHandle === undefined) this.happen({ kind: "unloaded" });
    else this.happen({ kind: "roll_back", reason: "withdrawn", detail: "it was unloaded" });
  }

  #onLoaded(stable: ServedModelHandle, candidate: ServedModelHandle): void {
    this.#candidate = candidate;
    const unlike =
      stable.task?.name === candidate.task?.name
        ? whyUnlike(stable.description.signature, candidate.description.signature)
        : `its task is ${candidate.task?.name ?? "none"}, and ${stable.task?.name ?? "none"} the old version's`;
    if (unlike !== undefined) {
      this.happen({ kind: "roll_back", reason: "other_signature", detail: unlike });
      return;
    }
    this.#shadow?.close();
    this.#shadow = undefined;
    if (this.settings.shadowShare > 0 && stable.settings.sequences === undefined) {
      const onEnd = (result: ShadowResult): void => {
        this.#metrics.compared[result].add(1);
        if (result === "dropped") return;
        this.#figures.compared(result);
        if (result !== "equal") this.judge();
      };
      this.#shadow = createRolloutShadow(
        { stable, candidate },
        { ...this.#parts, settings: this.settings, onEnd },
      );
    }
    this.happen({ kind: "loaded" });
  }

  /** The state is final. Sequences of the version that lost come to their end first. */
  #end(): void {
    const state = this.#state;
    this.#endedMs = this.nowMs();
    this.#metrics.ended(state.kind === "rolled_back" ? state.reason : "promoted");
    this.#shadow?.close();
    this.#shadow = undefined;
    // It may be in the middle of a request's end.
    queueMicrotask(() => {
      if (state.kind === "rolled_back" && state.reason === "latency")
        for (const request of [...this.#figures.open]) request.giveUp();
      this.#release();
    });
  }

  #release(): void {
    if (this.#isClosed) return;
    const state = this.#state;
    const loser = this.#sides.find(state.kind === "promoted" ? "stable" : "candidate");
    const isLate = this.nowMs() - this.#endedMs >= SEQUENCES_MS;
    const isRemembered = state.kind === "promoted" && this.#sides.rememberedCount() > 0;
    if (!isLate && (isRemembered || (loser?.liveSequences?.() ?? 0) > 0)) return;
    const reason = wordsOfState(state, this.trial);
    this.close();
    this.#parts.registry.endTrial(
      this.model,
      state.kind === "promoted" ? { kind: "promoted" } : { kind: "held_back", reason },
    );
  }

  #watch(): void {
    this.#cancelTimer = this.#parts.clock.after(Math.min(LOOK_MS, this.settings.windowMs), () => {
      if (isOver(this.#state)) this.#release();
      else this.judge();
      if (!this.#isClosed) this.#watch();
    });
  }
}
