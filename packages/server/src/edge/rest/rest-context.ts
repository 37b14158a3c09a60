import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Metrics } from "../../base/metrics.ts";
import type { AdminGate } from "../../gate/admin-gate.ts";
import type { ByteBudget } from "../../gate/byte-budget.ts";
import type { TransferPace } from "../../gate/transfer-pace.ts";
import type { Administration } from "../../infer/administration.ts";
import type { Inference } from "../../infer/inference.ts";
import type { InferenceObserver } from "../inference-metrics.ts";
import type { Slicer } from "../slices.ts";
import type { ConnectionSignals } from "./connection-signals.ts";
import type { RestLimits } from "./limits.ts";

/** What every route and request of a REST edge shares. */
export interface RestContext {
  readonly inference: Inference;
  readonly administration: Administration;
  readonly adminGate: AdminGate;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly observer: InferenceObserver;
  readonly budget: ByteBudget;
  readonly pace: TransferPace;
  readonly limits: RestLimits;
  readonly slicer: Slicer;
  readonly connectionSignals: ConnectionSignals;
  /** Status of "not ready": KServe and Kubernetes expect 503, Triton answers 400. */
  readonly notReadyStatus: 400 | 503;
  /** In lower case; undefined: requests are nobody's in particular. */
  readonly tenantHeader: string | undefined;
  makeId(): string;
  /** 0 ≤ x < 1; spreads `Retry-After`, so that refused clients do not all come back at once. */
  random(): number;
  isDraining(): boolean;
}
