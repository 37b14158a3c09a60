import type { Clock } from "../../base/clock.ts";
import type { ByteBudget } from "../../gate/byte-budget.ts";
import type { TransferPace } from "../../gate/transfer-pace.ts";

/** What bounds the memory that slow clients hold; shared with all other edges. */
export interface TransferDeps {
  readonly clock: Clock;
  readonly budget: ByteBudget;
  readonly pace: TransferPace;
}
