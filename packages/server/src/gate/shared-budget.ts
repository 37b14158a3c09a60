import type { Clock } from "../base/clock.ts";
import {
  type ByteBudget,
  type ByteBudgetOptions,
  budgetFull,
  neverFits,
  SMALL_BYTES,
  SMALL_SHARE,
  tooManyRequests,
} from "./byte-budget.ts";

/** What each of several processes holds, where all of them can read it at once. */
export interface BudgetLedger {
  /** How many processes share the budget. */
  readonly processes: number;
  /** Writes what this process holds. */
  publish(bytes: number): void;
  /** What the others hold together. */
  others(): number;
}

export interface SharedBudgetOptions extends ByteBudgetOptions {
  readonly ledger: BudgetLedger;
  readonly clock: Clock;
  /** Asks the other processes to free bytes that are held without need. */
  reclaimElsewhere(bytes: number): void;
}

/** What a process sets aside ahead, so that small requests need not look at the ledger. */
const MOST_AHEAD_BYTES = 256 * 1024;
/** A process without requests keeps that for so long. */
const REST_MS = 50;
/** All of it together is this share of the budget at most. */
const AHEAD_SHARE = 1 / 64;

/**
 * A budget that several processes have together, as exact as that of one: who takes more first writes that into the ledger, then looks whether all of
 * them fit, and takes it back if not. Two who take the last bytes at the same moment may both be rejected, and never both be let in. Each process has its
 * part of `maxRequests`.
 */
export function createSharedBudget(options: SharedBudgetOptions): ByteBudget {
  const { maxBytes, ledger, clock, reclaim, reclaimElsewhere } = options;
  const maxRequests = Math.ceil(options.maxRequests / ledger.processes);
  const maxLargeBytes = maxBytes - Math.floor(maxBytes * SMALL_SHARE);
  const ahead = Math.min(MOST_AHEAD_BYTES, Math.floor((maxBytes * AHEAD_SHARE) / ledger.processes));
  let bytes = 0;
  let requests = 0;
  let published = 0;
  let isResting = false;

  const publish = (amount: number): void => {
    published = amount;
    ledger.publish(amount);
  };
  /** Publishes `amount`; how many bytes too many that would be. */
  const excess = (amount: number, isSmall: boolean, isAlone: boolean): number => {
    publish(amount);
    const others = ledger.others();
    return amount + others - (isSmall || (isAlone && others === 0) ? maxBytes : maxLargeBytes);
  };
  const reserve = (more: number, held: number): void => {
    const isSmall = more + held <= SMALL_BYTES;
    const isAlone = bytes === held;
    const before = published;
    if (excess(bytes + more + ahead, isSmall, isAlone) <= 0) return;
    const tooMany = excess(bytes + more, isSmall, isAlone);
    if (tooMany <= 0) return;
    reclaim?.(tooMany);
    if (excess(bytes + more, isSmall, bytes === held) <= 0) return;
    publish(Math.min(before, bytes + ahead));
    reclaimElsewhere(tooMany);
    throw budgetFull();
  };
  const take = (more: number, held: number): void => {
    if (more > maxBytes) throw neverFits(more, maxBytes);
    if (bytes + more > published) reserve(more, held);
    bytes += more;
  };
  const give = (size: number): void => {
    bytes -= size;
    if (published - bytes > 2 * ahead) publish(bytes + ahead);
    if (bytes > 0 || isResting || published === 0) return;
    isResting = true;
    clock.after(REST_MS, () => {
      isResting = false;
      if (bytes === 0) publish(0);
    });
  };
  return {
    enter(size) {
      if (requests >= maxRequests) throw tooManyRequests(maxRequests);
      take(size, 0);
      requests++;
    },
    grow: take,
    shrink: give,
    leave(size) {
      give(size);
      requests--;
    },
    maxBytes,
    get bytes() {
      return bytes;
    },
    get requests() {
      return requests;
    },
  };
}
