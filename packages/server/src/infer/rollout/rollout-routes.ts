import type { InferRequest } from "../../base/infer-request.ts";
import type { RolloutSettings, RolloutState } from "../../base/rollout.ts";
import { placeOfKey } from "./place-of-key.ts";
import type { Side } from "./rollout-request.ts";

/** What of a request, or of a task, says where it goes. */
export type RoutedRequest = Pick<InferRequest, "tenant" | "routeKey"> &
  Partial<Pick<InferRequest, "parameters">>;

export interface RolloutRoutesOptions {
  readonly settings: Pick<RolloutSettings, "by" | "tenants">;
  /** Of this rollout: keys go elsewhere in another one. */
  readonly salt: string;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** The request itself says which version it wants. */
export function isChosen({ routeKey }: RoutedRequest): boolean {
  return routeKey === "always" || routeKey === "never";
}

/** To which version of a rollout a request goes. */
export class RolloutRoutes {
  readonly #options: RolloutRoutesOptions;
  readonly #tenants: ReadonlySet<string>;

  constructor(options: RolloutRoutesOptions) {
    this.#options = options;
    this.#tenants = new Set(options.settings.tenants);
  }

  sideOf(request: RoutedRequest, state: RolloutState): Side {
    if (state.kind !== "canary") return state.kind === "promoted" ? "candidate" : "stable";
    const { tenant } = request;
    if (isChosen(request)) return request.routeKey === "always" ? "candidate" : "stable";
    if (tenant !== undefined && this.#tenants.has(tenant)) return "candidate";
    const { share } = state;
    if (share === 0 || share === 1) return share === 0 ? "stable" : "candidate";
    const key = this.#keyOf(request);
    const place = key === undefined ? this.#options.random() : placeOfKey(this.#options.salt, key);
    return place < share ? "candidate" : "stable";
  }

  /** Undefined: it has none. */
  #keyOf({ tenant, routeKey, parameters }: RoutedRequest): string | undefined {
    const { by } = this.#options.settings;
    const key = by === "header" ? routeKey : by === "tenant" ? tenant : undefined;
    if (key !== undefined) return `=${key}`;
    const id = parameters === undefined || parameters.size === 0 ? undefined : parameters.get("sequence_id");
    return id === undefined || id === "" || id === 0 || id === 0n ? undefined : `#${typeof id}${String(id)}`;
  }
}
