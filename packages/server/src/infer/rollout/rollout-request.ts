import { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse, ResponsePiece } from "../../base/infer-request.ts";
import type { ResultReceiver } from "../../base/result-receiver.ts";
import { Timeline } from "../../base/timeline.ts";
import type { ServedModel } from "../../models/registry.ts";
import { type Blame, blameOf } from "./blame.ts";

export type Side = "stable" | "candidate";

/** How a version did with a request that was its own. */
export interface AskedOutcome {
  readonly side: Side;
  /** Undefined: it failed. */
  readonly latencyMs: number | undefined;
  /** It failed, and the old version answered. */
  readonly isReplaced?: boolean;
}

/** What a request of a rollout needs to know of it. */
export interface RequestLeader {
  nowMs(): number;
  /** Checks and submits. Throws what is wrong with the request. */
  submitTo(served: ServedModel, request: InferRequest, receiver: ResultReceiver<InferResponse>): void;
  /** Who answers what the new version failed; undefined: nobody. */
  substitute(): ServedModel | undefined;
  /** The new version is asked. */
  began(request: CandidateRequest): void;
  /** It has answered, or failed. */
  settled(request: CandidateRequest): void;
  ended(outcome: AskedOutcome): void;
}

/** A request of a rollout that the old version answers. */
export class StableRequest implements ResultReceiver<InferResponse> {
  readonly #leader: RequestLeader;
  readonly #receiver: ResultReceiver<InferResponse>;
  readonly #startMs: number;

  constructor(leader: RequestLeader, receiver: ResultReceiver<InferResponse>) {
    this.#leader = leader;
    this.#receiver = receiver;
    this.#startMs = leader.nowMs();
  }

  resolve(response: InferResponse): void {
    // What a cache answers says nothing of a version.
    if (response.batchRows > 0)
      this.#leader.ended({ side: "stable", latencyMs: this.#leader.nowMs() - this.#startMs });
    this.#receiver.resolve(response);
  }

  reject(error: Error): void {
    if (blameOf(error) === "version") this.#leader.ended({ side: "stable", latencyMs: undefined });
    this.#receiver.reject(error);
  }
}

/** One of the two versions, asked for one request, with stamps of its own: both may be at work at once. */
interface Attempt {
  readonly side: Side;
  readonly timeline: Timeline;
}

/**
 * A request of a rollout that the new version is asked first. What it fails, or is given up to do, the old one is asked for: the client sees no more of it than the time
 * it took. Requests of sequences, and those of which pieces were sent, stay with the new version.
 */
export class CandidateRequest {
  readonly startMs: number;
  readonly #leader: RequestLeader;
  readonly #receiver: ResultReceiver<InferResponse>;
  readonly #request: InferRequest;
  #mayBeReplaced = false;
  #hasPieces = false;
  #isOver = false;
  /** Neither is settled while it is asked. */
  readonly #open: Record<Side, boolean> = { stable: false, candidate: false };
  /** Why the old version is, or may be, asked; undefined: the new one has not failed. */
  #blame: Blame | undefined;
  #wasReplaced = false;

  constructor(leader: RequestLeader, request: InferRequest, receiver: ResultReceiver<InferResponse>) {
    this.#leader = leader;
    this.#receiver = receiver;
    const { onPiece } = request;
    this.#request = onPiece === undefined ? request : { ...request, onPiece: this.#watched(onPiece) };
    this.startMs = leader.nowMs();
  }

  run(served: ServedModel): void {
    this.#mayBeReplaced = served.settings.sequences === undefined;
    this.#leader.began(this);
    this.#ask(served, "candidate");
  }

  /** The new version takes too long: the old one is asked as well, and the first answer counts. */
  giveUp(): void {
    const substitute = this.#isOver || !this.#open.candidate ? undefined : this.#substitute();
    if (substitute !== undefined) this.#ask(substitute, "stable");
  }

  #ask(served: ServedModel, side: Side): void {
    const { timeline: own, onPiece } = this.#request;
    // Who sends pieces looks at the stamps meanwhile.
    const timeline = onPiece === undefined ? Object.assign(new Timeline(own.receivedMs), own) : own;
    this.#open[side] = true;
    if (side === "stable") this.#wasReplaced = true;
    const attempt: Attempt = { side, timeline };
    try {
      this.#leader.submitTo(
        served,
        { ...this.#request, timeline, ...(side === "stable" && { isCharged: true }) },
        {
          resolve: (response) => this.#answered(attempt, response),
          reject: (error) => this.#failed(attempt, error),
        },
      );
    } catch (thrown) {
      this.#failed(attempt, ServeError.from(thrown));
    }
  }

  #answered({ side, timeline }: Attempt, response: InferResponse): void {
    this.#settle(side);
    if (this.#isOver) return;
    this.#isOver = true;
    this.#takeStamps(timeline);
    if (side === "stable") this.#leader.ended({ side: "candidate", latencyMs: undefined, isReplaced: true });
    else if (response.batchRows > 0)
      this.#leader.ended({ side: "candidate", latencyMs: this.#leader.nowMs() - this.startMs });
    this.#receiver.resolve(response);
  }

  #failed({ side, timeline }: Attempt, error: Error): void {
    this.#settle(side);
    if (this.#isOver) return;
    if (side === "candidate") this.#blame = blameOf(error);
    // The other one may answer yet.
    if (this.#open.stable || this.#open.candidate) return;
    const isFirst = side === "candidate" && !this.#wasReplaced && this.#blame !== "none";
    const substitute = isFirst ? this.#substitute() : undefined;
    if (substitute !== undefined) {
      // Whoever tells of a result must not be asked for another before it is done.
      queueMicrotask(() => this.#ask(substitute, "stable"));
      return;
    }
    this.#isOver = true;
    this.#takeStamps(timeline);
    if (this.#blame === "version") this.#leader.ended({ side: "candidate", latencyMs: undefined });
    // Where both reject it, the old version's words are those that clients know.
    this.#receiver.reject(error);
  }

  #settle(side: Side): void {
    this.#open[side] = false;
    if (side === "candidate") this.#leader.settled(this);
  }

  #takeStamps(timeline: Timeline): void {
    if (timeline !== this.#request.timeline) Object.assign(this.#request.timeline, timeline);
  }

  #substitute(): ServedModel | undefined {
    const { signal, deadlineMs = Number.POSITIVE_INFINITY } = this.#request;
    const isWorthless = signal.aborted || this.#leader.nowMs() >= deadlineMs;
    return !this.#mayBeReplaced || this.#hasPieces || isWorthless ? undefined : this.#leader.substitute();
  }

  #watched(onPiece: (piece: ResponsePiece) => void): (piece: ResponsePiece) => void {
    return (piece) => {
      this.#hasPieces = true;
      onPiece(piece);
    };
  }
}
