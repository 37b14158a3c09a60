import type { Clock } from "../../../base/clock.ts";
import type { Logger } from "../../../base/logger.ts";
import type { Metrics } from "../../../base/metrics.ts";
import type { Tracer } from "../../../base/request-trace.ts";
import type { TenantUsage } from "../../../base/tenant-usage.ts";
import type { AdminGate } from "../../../gate/admin-gate.ts";
import type { ByteBudget } from "../../../gate/byte-budget.ts";
import type { SlowClientGuard } from "../../../gate/slow-client-guard.ts";
import type { WebGate } from "../../../gate/web-gate.ts";
import type { Administration } from "../../../infer/administration.ts";
import type { Inference } from "../../../infer/inference.ts";
import type { Authentication } from "../../authentication.ts";
import type { OpenForeignCall } from "../../call-stream.ts";
import type { ReadLoadConfig } from "../../control-parameters.ts";
import type { CpuProfiler } from "../../cpu-profiler.ts";
import type { InferenceObserver } from "../../inference-metrics.ts";
import type { MemoryRegions } from "../../memory-regions.ts";
import type { RequestLog } from "../../request-log.ts";
import type { RestLimits } from "../../rest-limits.ts";
import type { TimeSlicer } from "../../time-slicer.ts";
import type { TraceSettings } from "../../trace-settings.ts";
import type { RequestRecorder } from "./request-recorder.ts";
import type { SharedResponses } from "./shared-responses.ts";

/** What every route and request of a REST edge shares. Callers who may use some models only have one of their own, which shows them no others. */
export interface RestContext {
  readonly inference: Inference;
  /** Undefined: everybody may come in. */
  readonly authentication?: Authentication | undefined;
  /** Load and unload; the gate says for whom. */
  readonly administration: Administration;
  readonly adminGate: AdminGate;
  /** Who may steer rollouts, which also begin without a request. Default: as above. */
  readonly rolloutGate?: AdminGate | undefined;
  /** Reads the configuration of a load request; undefined: the operator does not allow it. */
  readonly readLoadConfig: ReadLoadConfig | undefined;
  /** Records what the server process does; undefined: the operator does not allow it. */
  readonly cpuProfiler: CpuProfiler | undefined;
  /** What each tenant asked of this server; undefined: nobody counts. */
  readonly tenantUsage?: (() => readonly TenantUsage[]) | undefined;
  /** Which web pages may come in, and under which names the server is known; the edges share it. */
  readonly webGate: WebGate;
  /** Shared memory that clients have registered; the edges share it. Undefined: the operator does not allow it. */
  readonly regions: MemoryRegions | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where requests that failed can be found by their ids; undefined: nowhere. */
  readonly requestLog?: RequestLog | undefined;
  /** Traces inferences; undefined: nothing is traced. */
  readonly tracer?: Tracer | undefined;
  /** What `/metrics` shows. */
  readonly metrics: Metrics;
  /** Keeps requests as they came; undefined: nobody does. */
  readonly recorder?: RequestRecorder | undefined;
  /** Told of answers that were compressed, in how long. */
  readonly onCompressed?: (bytes: { readonly plain: number; readonly packed: number }, ms: number) => void;
  /** What costs more to make than to ask for. */
  readonly shared: SharedResponses;
  /** Counts and times inferences; the edges share one. */
  readonly observer: InferenceObserver;
  /** What all requests in flight may hold; the edges share it. */
  readonly budget: ByteBudget;
  /** Ends clients that are too slow; the edges share it. */
  readonly slowClients: SlowClientGuard;
  readonly limits: RestLimits;
  /** Has gRPC's methods answer a call that came in another protocol; undefined: there is no gRPC. */
  readonly openCall: OpenForeignCall | undefined;
  /** Whose turn it is; the edges share it. */
  readonly slicer: TimeSlicer;
  /** Status of "not ready": KServe and Kubernetes expect 503, Triton answers 400. */
  readonly notReadyStatus: 400 | 503;
  /** The header that names a request's tenant, in lower case; undefined: requests have no tenant. */
  readonly tenantHeader: string | undefined;
  /** The header that says which version of a rollout a request goes to, in lower case; undefined: none does. */
  readonly rolloutHeader: string | undefined;
  /** The model that `/predict` means without a name; undefined: the only one there is. */
  readonly defaultModel: string | undefined;
  /** `--log-level`, for who asks about it. */
  readonly logLevel: () => string;
  readonly traceSettings: TraceSettings;
  /** Makes request ids for clients that send none. */
  makeId(): string;
  /** 0 ≤ x < 1; spreads `Retry-After`, so that rejected clients do not all come back at once. */
  random(): number;
  isDraining(): boolean;
}
