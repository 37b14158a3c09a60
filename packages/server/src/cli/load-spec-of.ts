import { systemClock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import { loadConfig } from "../config/load-config.ts";
import type { LoadSpec, Runtime } from "../runtime/runtime.ts";
import { createLogger } from "./logger.ts";
import { startOwnServer } from "./own-server.ts";
import { usageError } from "./usage-error.ts";

/** What a server would have PyTorch load for a path: the same files, with the same settings. Throws why it would load nothing. */
export async function loadSpecOf(path: string, python: string | undefined): Promise<LoadSpec> {
  const specs: LoadSpec[] = [];
  const seen = new ServeError("failed_precondition", "only its settings were asked for");
  const runtime: Runtime = {
    name: "python",
    async load(spec) {
      specs.push(spec);
      throw seen;
    },
    async close() {},
    destroy() {},
  };
  const flags = new Map([
    ["--port", "0"],
    ["--runtime", "python"],
    ...(python === undefined ? [] : [["--python", python] as const]),
  ]);
  const running = await startOwnServer({
    config: loadConfig({ flags }),
    paths: [path],
    logger: createLogger("silent"),
    clock: systemClock,
    random: Math.random,
    createRuntime: () => runtime,
  });
  const models = await running.settled.then(() => running.models()).finally(() => running.stop());
  const [spec, ...others] = specs;
  if (others.length > 0) throw usageError(`${path} holds several models; name the file or folder of one`);
  if (spec !== undefined) return spec;
  throw new ServeError(
    "failed_precondition",
    `${path} cannot be exported: ${models[0]?.reason ?? "no model is in it"}`,
  );
}
