import type { Clock } from "../../base/clock.ts";
import type { ByteBudget } from "../../gate/byte-budget.ts";
import type { SlowClientGuard } from "../../gate/slow-client-guard.ts";

/** What bounds the memory that slow clients hold; shared with all other edges. */
export interface TransferDeps {
  readonly clock: Clock;
  readonly budget: ByteBudget;
  readonly slowClients: SlowClientGuard;
}
