import type { InferRequest } from "../../base/infer-request.ts";
import type { Side } from "./rollout-request.ts";

/** How long a sequence of which nothing comes is remembered. */
const IDLE_MS = 60_000;
const MAX_SEQUENCES = 10_000;

interface Remembered {
  readonly side: Side;
  readonly atMs: number;
}

/** Which versions sequences have begun with whose state the server does not keep, and about which it knows nothing else. */
export class SequenceSides {
  /** Longest idle first. */
  readonly #sides = new Map<string, Remembered>();

  /** The version that the request's sequence has; `unknown`: it began before anybody looked; undefined: it begins now, or there is none. */
  find(request: InferRequest, nowMs: number): Side | "unknown" | undefined {
    const key = keyOf(request);
    if (key === undefined || request.parameters.get("sequence_start") === true) return undefined;
    const known = this.#sides.get(key);
    return known === undefined || nowMs - known.atMs >= IDLE_MS ? "unknown" : known.side;
  }

  /** Takes note of where the request goes. */
  remember(request: InferRequest, side: Side, nowMs: number): void {
    const key = keyOf(request);
    if (key === undefined) return;
    this.#sides.delete(key);
    if (request.parameters.get("sequence_end") === true) return;
    this.#sides.set(key, { side, atMs: nowMs });
    if (this.#sides.size <= MAX_SEQUENCES) return;
    const [oldest] = this.#sides.keys();
    this.#sides.delete(oldest!);
  }

  /** How many are live. */
  count(side: Side, nowMs: number): number {
    let count = 0;
    for (const remembered of this.#sides.values())
      if (remembered.side === side && nowMs - remembered.atMs < IDLE_MS) count += 1;
    return count;
  }
}

/** No tenant's sequence is another's. */
function keyOf({ tenant = "", parameters }: InferRequest): string | undefined {
  const id = parameters.size === 0 ? undefined : parameters.get("sequence_id");
  if (id === undefined || id === "" || id === 0 || id === 0n) return undefined;
  return `${tenant}\n${typeof id === "string" ? '"' : "#"}${id}`;
}
