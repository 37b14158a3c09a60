import { BlockList, isIPv6 } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../base/clock.ts";

export interface ConnectionLimits {
  /** Open connections of everybody together. */
  readonly maxConnections: number;
  /** Open connections of one remote address. */
  readonly maxConnectionsPerAddress: number;
  /** Networks (`address/prefix`) without a limit per address. */
  readonly unlimited: readonly string[];
}

/** How many connections a port has open, in all and of each address. */
export class ConnectionCounts {
  readonly #limits: ConnectionLimits;
  readonly #unlimited: BlockList;
  readonly #perAddress = new Map<string, number>();
  #size = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
    this.#unlimited = toBlockList(limits.unlimited);
  }

  get size(): number {
    return this.#size;
  }

  /** Whether one more would be too many, in all or of its address. */
  isFull(address: string | undefined): "connections" | "connections_per_address" | undefined {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    if (this.#size >= maxConnections) return "connections";
    const ofAddress = this.#isCounted(address) ? (this.#perAddress.get(address ?? "") ?? 0) : 0;
    return ofAddress >= maxConnectionsPerAddress ? "connections_per_address" : undefined;
  }

  enter(address: string | undefined): void {
    this.#size += 1;
    if (!this.#isCounted(address)) return;
    const key = address ?? "";
    this.#perAddress.set(key, (this.#perAddress.get(key) ?? 0) + 1);
  }

  leave(address: string | undefined): void {
    this.#size -= 1;
    if (!this.#isCounted(address)) return;
    const key = address ?? "";
    const left = (this.#perAddress.get(key) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(key);
    else this.#perAddress.set(key, left);
  }

  #isCounted(address = ""): boolean {
    return address === "" || !this.#unlimited.check(address, isIPv6(address) ? "ipv6" : "ipv4");
  }
}

const ACCEPT_WAITING_MS = 10_000;

/** Resolves when the system holds no connection that this process has not accepted, or after a moment: some never stop coming. `accepted`: how many were so far. */
export async function acceptedAll(clock: Clock, accepted: () => number): Promise<void> {
  const endMs = clock.nowMs() + ACCEPT_WAITING_MS;
  let before: number;
  // Node accepts one connection per turn (libuv since 1.45). The first turn may be half over.
  do {
    before = accepted();
    await nextTurn();
    await nextTurn();
  } while (accepted() > before && clock.nowMs() < endMs);
}

function toBlockList(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix] = network.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    list.addSubnet(address, Number(prefix ?? (family === "ipv6" ? 128 : 32)), family);
  }
  return list;
}
