import type { InferRequest } from "../../base/infer-request.ts";
import type { RolloutState } from "../../base/rollout.ts";
import type { ServedModelHandle } from "../../models/served-model-handle.ts";
import type { Side } from "./rollout-request.ts";
import { isChosen, type RolloutRoutes, type RoutedRequest } from "./rollout-routes.ts";
import { SequenceSides } from "./sequence-sides.ts";

export interface RolloutSidesOptions {
  readonly routes: RolloutRoutes;
  /** The version of that side while it serves. */
  lookup(side: Side): ServedModelHandle | undefined;
  nowMs(): number;
}

/** A version that serves, and which of the two it is. */
export interface ServingSide {
  readonly served: ServedModelHandle;
  readonly side: Side;
}

/** Which of the two versions of a rollout a request goes to, and which of them serve. */
export class RolloutSides {
  readonly #options: RolloutSidesOptions;
  readonly #sequences = new SequenceSides();

  constructor(options: RolloutSidesOptions) {
    this.#options = options;
  }

  find(side: Side): ServedModelHandle | undefined {
    return this.#options.lookup(side);
  }

  /** That side, else the other; undefined: neither serves. */
  available(side: Side): ServingSide | undefined {
    const served = this.find(side);
    if (served !== undefined) return { served, side };
    const other = side === "stable" ? "candidate" : "stable";
    const instead = this.find(other);
    return instead && { served: instead, side: other };
  }

  /** Of a request that is no part of a sequence. */
  routeOf(request: RoutedRequest, state: RolloutState): Side {
    return this.#options.routes.sideOf(request, state);
  }

  /** A sequence stays with the version that it began with. `candidate`: the new version, once it was seen to serve. */
  sideOf(request: InferRequest, state: RolloutState, candidate: ServedModelHandle | undefined): Side {
    if (candidate?.settings.sequences !== undefined) {
      if (candidate.holdsSequence?.(request) === true) return "candidate";
      if (this.find("stable")?.holdsSequence?.(request) === true) return "stable";
    } else if (request.parameters.size > 0 && !isChosen(request)) return this.#sideOfSequence(request, state);
    return this.routeOf(request, state);
  }

  /** Sequences that the old version remembers of which the server keeps no state. */
  rememberedCount(): number {
    return this.#sequences.count("stable", this.#options.nowMs());
  }

  /** Of a model whose state the server does not keep. A bad version is left all the same. */
  #sideOfSequence(request: InferRequest, state: RolloutState): Side {
    const { kind } = state;
    const nowMs = this.#options.nowMs();
    const known = kind === "rolled_back" ? "stable" : this.#sequences.find(request, nowMs);
    const begun = known === "unknown" ? (kind === "promoted" ? "candidate" : "stable") : known;
    const side = begun ?? this.routeOf(request, state);
    this.#sequences.remember(request, side, nowMs);
    return side;
  }
}
