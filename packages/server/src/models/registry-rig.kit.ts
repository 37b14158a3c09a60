// A registry whose loads end when a test says so.
import { ServeError } from "../base/errors.ts";
import { createRegistry } from "./create-registry.ts";
import type { ManagedRegistry, RegistryOptions } from "./managed-registry.ts";
import type { ModelCandidate } from "./model-candidate.ts";
import { ManualClock, StubModel, silentLogger } from "./models.kit.ts";
import type { ServedModel } from "./registry.ts";

/** Never fires. */
export const never: AbortSignal = new AbortController().signal;

export interface RegistryRig {
  readonly clock: ManualClock;
  readonly registry: ManagedRegistry;
  /** Loads under way, oldest first. */
  readonly loads: {
    readonly candidate: ModelCandidate;
    readonly signal: AbortSignal;
    succeed(): StubModel;
    fail(reason: string, code?: "failed_precondition" | "unavailable"): void;
  }[];
  readonly stubs: StubModel[];
}

export function setUp(options: Partial<RegistryOptions> = {}): RegistryRig {
  const clock = new ManualClock();
  const loads: RegistryRig["loads"] = [];
  const stubs: StubModel[] = [];
  const registry = createRegistry({
    clock,
    logger: silentLogger,
    load: (candidate, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        const take = () => loads.splice(loads.indexOf(load), 1);
        const load = {
          candidate,
          signal,
          succeed() {
            take();
            const stub = new StubModel(candidate);
            stubs.push(stub);
            resolve(stub);
            return stub;
          },
          fail(reason: string, code: "failed_precondition" | "unavailable" = "failed_precondition") {
            take();
            reject(new ServeError(code, reason));
          },
        };
        loads.push(load);
      }),
    ...options,
  });
  return { clock, registry, loads, stubs };
}

/** Takes a version as an inference does. */
export async function acquire(
  registry: ManagedRegistry,
  name: string,
  version: string | undefined,
  signal: AbortSignal,
): Promise<ServedModel> {
  for (;;) {
    const served = registry.lookup(name, version);
    if (served !== undefined) return served;
    await registry.waitForLoad(name, version, signal);
  }
}

/** The index, one line per version. */
export function states(registry: ManagedRegistry): string[] {
  return registry
    .index()
    .map(({ name, version, state, reason }) => `${name}/${version} ${state} ${reason}`.trim());
}
