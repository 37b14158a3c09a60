import { type Clock, systemClock } from "../base/clock.ts";
import { type Logger, silentLogger } from "../base/logger.ts";
import { type Config, loadConfig } from "../config/load-config.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { checkOptions } from "./check-options.ts";
import type { RuntimeOptions } from "./create-both-runtimes.ts";

/** What a server is built from. Only `paths` must be given. */
export interface ServerOptions {
  /**
   * Model files, and folders of models; `NAME=PATH` serves one model under a name of your choice. In place of a path an address may stand: `s3://BUCKET/PREFIX`,
   * `gs://BUCKET/PREFIX` or `https://HOST/FILE`.
   */
  readonly paths: readonly string[];
  /** From `loadConfig`. Default: the defaults of docs/configuration.md, on a free port; neither the environment nor a file is read. */
  readonly config?: Config;
  /**
   * Reads the configuration again, when its file changed and on `reload`: the log level (of what is asked about it) and the quota of tenants change, what
   * else differs waits for a restart. Default: nothing of it changes.
   */
  readonly readConfig?: () => Config;
  /** Takes what the command line writes to standard error; a pino logger fits. Default: nothing is logged. */
  readonly logger?: Logger;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** Uniform in [0, 1), for jitter and ids. Default: `Math.random`. */
  readonly random?: () => number;
  /** Makes what runs the models; default: ONNX Runtime and PyTorch in worker processes. */
  readonly createRuntime?: (options: RuntimeOptions) => Runtime;
}

/** Options of which none is missing. */
export type CompleteOptions = ServerOptions & Required<Omit<ServerOptions, "createRuntime" | "readConfig">>;

const KNOWN_OPTIONS: Readonly<Record<keyof ServerOptions, true>> = {
  paths: true,
  config: true,
  logger: true,
  clock: true,
  random: true,
  createRuntime: true,
  readConfig: true,
};

/** Looks at what a program gave, and fills in the rest. Throws `invalid_argument`/`bad_option`. */
export function completeOptions(given: ServerOptions): CompleteOptions {
  checkOptions(given, Object.keys(KNOWN_OPTIONS));
  const { config, logger, clock, random, ...others } = given;
  return {
    ...others,
    config: config ?? loadConfig({ flags: new Map([["--port", "0"]]) }),
    logger: logger ?? silentLogger,
    clock: clock ?? systemClock,
    random: random ?? Math.random,
  };
}
