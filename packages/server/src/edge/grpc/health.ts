import type { Clock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import { once } from "../../base/once.ts";
import type { Inference } from "../../infer/inference.ts";
import { type DrainSignal, draining } from "./drain-signal.ts";
import type { CallHandlers, GrpcCall, GrpcMethod } from "./grpc-call.ts";
import type { HealthState } from "./health-state.ts";
import { frameOf } from "./message-frame.ts";
import { unaryMethod } from "./unary-method.ts";

const SERVICE = "/grpc.health.v1.Health";
/** How often a watched state that nobody announces (a model's) is looked at again. */
const WATCH_INTERVAL_MS = 500;

/** What `grpc.health.v1` reports: `""` and the service names follow the server's readiness, any other name is a model's. */
export interface HealthStates {
  stateOf(service: string): HealthState;
  /** Every service and model by name. */
  all(): ReadonlyMap<string, HealthState>;
  /** False: every service is NOT_SERVING, whatever the models say. */
  setServing(isServing: boolean): void;
  /** The same for somebody who sees other models. */
  as(inference: Inference): HealthStates;
}

export function createHealthStates(
  inference: Inference,
  services: readonly string[],
  serving: { isServing: boolean } = { isServing: true },
): HealthStates {
  const ofServer = (): HealthState => (serving.isServing && inference.isReady() ? "SERVING" : "NOT_SERVING");
  const ofModel = (name: string): HealthState => {
    try {
      return serving.isServing && inference.isModelReady(name, undefined) ? "SERVING" : "NOT_SERVING";
    } catch (thrown) {
      const { code } = ServeError.from(thrown);
      return code === "not_found" || code === "permission_denied" ? "SERVICE_UNKNOWN" : "NOT_SERVING";
    }
  };
  const stateOf = (service: string) =>
    service === "" || services.includes(service) ? ofServer() : ofModel(service);
  return {
    stateOf,
    all() {
      const names = new Set(["", ...services, ...inference.index().map(({ name }) => name)]);
      return new Map([...names].map((name) => [name, stateOf(name)]));
    },
    setServing(value) {
      serving.isServing = value;
    },
    as: (other) => createHealthStates(other, services, serving),
  };
}

/** `grpc.health.v1.Health`: Check, List, Watch. The codec loads at the first call. */
export function healthMethods(states: HealthStates, clock: Clock, drain: DrainSignal): GrpcMethod[] {
  const codec = once(() => import("./health-codec.ts"));
  const methods: readonly GrpcMethod[] = [
    unaryMethod(`${SERVICE}/Check`, async (bytes) => {
      const { decodeCheck, encodeCheck } = await codec();
      const service = decodeCheck(bytes);
      const state = states.stateOf(service);
      if (state !== "SERVICE_UNKNOWN") return encodeCheck(state);
      throw new ServeError("not_found", `there is no service or model "${service}"`, {
        reason: "unknown_service",
      });
    }),
    unaryMethod(`${SERVICE}/List`, async () => (await codec()).encodeList(states.all())),
    {
      path: `${SERVICE}/Watch`,
      requestStream: false,
      open: (call) => watch(call, { states, clock, codec, drain }),
    },
  ];
  return methods.map((method) => ({ ...method, needs: "nothing" }));
}

interface WatchOptions {
  readonly states: HealthStates;
  readonly clock: Clock;
  readonly drain: DrainSignal;
  codec(): Promise<typeof import("./health-codec.ts")>;
}

function watch(call: GrpcCall, { states, clock, codec, drain }: WatchOptions): CallHandlers {
  let last: HealthState | undefined;
  let cancelTimer: (() => void) | undefined;
  const start = async (bytes: Buffer) => {
    const { decodeCheck, encodeCheck } = await codec();
    const service = decodeCheck(bytes);
    const look = () => {
      if (call.ended) return;
      const state = states.stateOf(service);
      cancelTimer = clock.after(WATCH_INTERVAL_MS, look);
      if (state === last) return;
      last = state;
      call.send(frameOf(encodeCheck(state)));
    };
    look();
  };
  call.signal.addEventListener("abort", () => cancelTimer?.());
  drain.onDrain(call, () => call.fail(draining()));
  return {
    onMessage(bytes) {
      start(bytes).catch((thrown: unknown) => call.fail(ServeError.from(thrown)));
    },
    onHalfClose() {},
  };
}
