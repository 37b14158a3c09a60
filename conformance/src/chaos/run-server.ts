import { startServer } from "sconce/internal/app";
import type { Clock } from "sconce/internal/base/clock";
import { systemClock } from "sconce/internal/base/clock";
import type { Logger } from "sconce/internal/base/logger";
import { createLogger } from "sconce/internal/cli/logger";
import { loadConfig } from "sconce/internal/config/load-config";
import type { Runtime } from "sconce/internal/runtime/runtime";

export interface RuntimeParts {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly spares: number;
}

/**
 * Makes this process a server under test, with a runtime of the caller's choice. Arguments: the models' folder, then flags as
 * `--name=value`. Its address goes to the parent as a message; SIGTERM stops it.
 */
export async function runServer(createRuntime: (parts: RuntimeParts) => Runtime): Promise<void> {
  const [folder, ...flags] = process.argv.slice(2);
  const config = loadConfig({
    flags: new Map(flags.map((flag) => flag.split("=") as [string, string])),
    env: { SCONCE_CONFIG: process.env["SCONCE_CONFIG"] },
  });
  const common = { logger: createLogger("warn"), clock: systemClock, random: Math.random };
  const server = await startServer({
    ...common,
    config,
    paths: [folder!],
    runtime: createRuntime({ ...common, spares: config.server.spareWorkers }),
  });
  process.once("SIGTERM", () => {
    server.stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  });
  server.settled.then(
    () => process.send?.({ url: server.url }),
    () => process.exit(1),
  );
  // The harness is gone: nobody will ever stop this server.
  process.on("disconnect", () => process.exit(1));
}
