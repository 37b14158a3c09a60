import { startServer } from "sconce/internal/app";
import { systemClock } from "sconce/internal/base/clock";
import { createLogger } from "sconce/internal/cli/logger";
import { loadConfig } from "sconce/internal/config/load-config";
import { createCalibratedRuntime } from "../calibrated/calibrated-runtime.ts";

/** The real server with the calibrated runtime in ONNX Runtime's place. Arguments: the models' folder, then flags as `--name=value`. */
const [folder, ...flags] = process.argv.slice(2);
const config = loadConfig({
  flags: new Map(flags.map((flag) => flag.split("=") as [string, string])),
  env: {},
});
const logger = createLogger("warn");
const common = { logger, clock: systemClock, random: Math.random };
const server = await startServer({
  ...common,
  config,
  paths: [folder!],
  runtime: createCalibratedRuntime({ ...common, spares: config.server.spareWorkers }),
});
process.once("SIGTERM", () => {
  server.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
server.settled.then(
  () => process.send?.({ url: server.url, probeUrl: server.probeUrl }),
  () => process.exit(1),
);
// The harness is gone: nobody will ever stop this server.
process.on("disconnect", () => process.exit(1));
