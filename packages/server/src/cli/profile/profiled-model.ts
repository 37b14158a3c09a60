import { createBothRuntimes } from "../../app/create-both-runtimes.ts";
import { systemClock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import type { Config } from "../../config/load-config.ts";
import type { LoadedModel, LoadOptions, LoadSpec, ProfileRequest, Runtime } from "../../runtime/runtime.ts";
import { createLogger } from "../logger.ts";
import { startOwnServer } from "../own-server.ts";
import { usageError } from "../usage-error.ts";

/** A model as the server loads it, and once more with a profile. Both have one instance, in workers of their own. */
export interface ProfiledModel {
  readonly name: string;
  /** What it was loaded from. */
  readonly spec: LoadSpec;
  readonly plain: LoadedModel;
  readonly profiled: LoadedModel;
  close(): Promise<void>;
}

interface Pair extends Pick<ProfiledModel, "spec" | "plain" | "profiled"> {}

/** Loads the one model that a path holds, with the settings that lie with it. Throws ServeError. */
export async function loadProfiled(
  path: string,
  { config, profile }: { readonly config: Config; readonly profile: ProfileRequest },
): Promise<ProfiledModel> {
  const pairs = new Map<string, Pair>();
  const running = await startOwnServer({
    config,
    paths: [path],
    // What goes wrong is this command's to say.
    logger: createLogger("silent"),
    clock: systemClock,
    random: Math.random,
    createRuntime: (options) => inPairs(createBothRuntimes(options), profile, pairs),
  });
  try {
    await running.settled;
    const models = running.models();
    const names = [...new Set(models.map(({ name }) => name))];
    if (names.length > 1) {
      throw usageError(`${path} holds several models; name the file or folder of one: ${names.join(", ")}`);
    }
    const ready = models.find(({ state }) => state === "READY");
    const pair = ready && pairs.get(ready.name);
    if (pair === undefined) {
      const why = models[0] === undefined ? "no model is in it" : models[0].reason;
      throw new ServeError("failed_precondition", `${path} cannot be served: ${why}`);
    }
    return { ...pair, name: ready!.name, close: () => running.stop() };
  } catch (error) {
    await running.stop();
    throw error;
  }
}

/** A runtime that loads each model twice, the second time with a profile; the server has the first. */
function inPairs(runtime: Runtime, profile: ProfileRequest, pairs: Map<string, Pair>): Runtime {
  return {
    name: runtime.name,
    async load(spec, options) {
      if (spec.task !== undefined) return runtime.load(spec, options);
      const alone = { ...spec, options: { ...spec.options, ...ALONE } };
      const plain = await runtime.load(alone, options);
      const request = { ...alone, options: { ...alone.options, ...NOT_KEPT, profile } };
      const profiled = await runtime.load(request, options);
      pairs.set(spec.name, { spec, plain, profiled });
      return plain;
    },
    close: () => runtime.close(),
    destroy: (reason) => runtime.destroy(reason),
  };
}

const ALONE: Partial<LoadOptions> = { instances: 1 };
/** A translation that was kept does not say where its values come from. */
const NOT_KEPT: Partial<LoadOptions> = { translationCache: undefined, isolation: "process" };
