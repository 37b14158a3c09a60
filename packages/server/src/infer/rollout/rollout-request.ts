import { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse, ResponsePiece } from "../../base/infer-request.ts";
import type { ResultReceiver } from "../../base/result-receiver.ts";
import type { ServedModel } from "../../models/registry.ts";

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
  ended(outcome: AskedOutcome): void;
}

/** What an error says of the version that gave it. */
type Blame = "version" | "unknown" | "none";

/**
 * One request on its way through a rollout. What the new version fails is answered by the old one, if it can: the client sees no more of it than the time
 * it took. Requests of sequences, and those of which pieces were sent, stay with their version.
 */
export class RolloutRequest implements ResultReceiver<InferResponse> {
  readonly #leader: RequestLeader;
  readonly #receiver: ResultReceiver<InferResponse>;
  readonly #request: InferRequest;
  readonly #startMs: number;
  #side: Side = "stable";
  #mayBeReplaced = false;
  #hasPieces = false;
  /** What the new version said, while the old one is asked. */
  #failure: { readonly error: Error; readonly blame: Blame } | undefined;

  constructor(leader: RequestLeader, request: InferRequest, receiver: ResultReceiver<InferResponse>) {
    this.#leader = leader;
    this.#receiver = receiver;
    const { onPiece } = request;
    this.#request = onPiece === undefined ? request : { ...request, onPiece: this.#watched(onPiece) };
    this.#startMs = leader.nowMs();
  }

  /** Asks a version. */
  run(served: ServedModel, side: Side): void {
    this.#side = side;
    this.#mayBeReplaced = side === "candidate" && served.settings.sequences === undefined;
    try {
      this.#leader.submitTo(served, this.#request, this);
    } catch (thrown) {
      this.reject(ServeError.from(thrown));
    }
  }

  resolve(response: InferResponse): void {
    const failure = this.#failure;
    if (failure !== undefined) {
      this.#leader.ended({ side: "candidate", latencyMs: undefined, isReplaced: true });
    } else if (response.batchRows > 0) {
      // What a cache answers says nothing of a version.
      this.#leader.ended({ side: this.#side, latencyMs: this.#leader.nowMs() - this.#startMs });
    }
    this.#receiver.resolve(response);
  }

  reject(error: Error): void {
    const failure = this.#failure;
    if (failure !== undefined) {
      if (failure.blame === "version") this.#leader.ended({ side: "candidate", latencyMs: undefined });
      // Where both refuse, the old version's words are those that clients know.
      this.#receiver.reject(error);
      return;
    }
    const blame = blameOf(error);
    const substitute = blame === "none" ? undefined : this.#substitute();
    if (substitute === undefined) {
      if (blame === "version") this.#leader.ended({ side: this.#side, latencyMs: undefined });
      this.#receiver.reject(error);
      return;
    }
    this.#failure = { error, blame };
    // Whoever tells of a result must not be asked for another before it is done.
    queueMicrotask(() => this.#ask(substitute));
  }

  #substitute(): ServedModel | undefined {
    const { signal, deadlineMs = Number.POSITIVE_INFINITY } = this.#request;
    const isWorthless = signal.aborted || this.#leader.nowMs() >= deadlineMs;
    return !this.#mayBeReplaced || this.#hasPieces || isWorthless ? undefined : this.#leader.substitute();
  }

  #ask(served: ServedModel): void {
    try {
      this.#leader.submitTo(served, { ...this.#request, isCharged: true }, this);
    } catch (thrown) {
      this.reject(ServeError.from(thrown));
    }
  }

  #watched(onPiece: (piece: ResponsePiece) => void): (piece: ResponsePiece) => void {
    return (piece) => {
      this.#hasPieces = true;
      onPiece(piece);
    };
  }
}

/** `unknown`: only what the other version says of the same request tells. */
export function blameOf(error: Error): Blame {
  if (!(error instanceof ServeError)) return "version";
  switch (error.code) {
    case "cancelled":
    case "permission_denied":
    case "unauthenticated":
      return "none";
    case "resource_exhausted":
      return error.reason === "quota_exceeded" ? "none" : "unknown";
    case "deadline_exceeded":
    case "internal":
    case "unavailable":
    case "unknown":
    case "data_loss":
      return "version";
    case "failed_precondition":
      return error.reason === "quarantined" ? "version" : "unknown";
    default:
      return "unknown";
  }
}
