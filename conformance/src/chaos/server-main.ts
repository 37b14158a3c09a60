import { startServer } from "sconce/internal/app";
import { systemClock } from "sconce/internal/base/clock";
import { createLogger } from "sconce/internal/cli/logger";
import { loadConfig } from "sconce/internal/config/load-config";
import { createCalibratedRuntime } from "../calibrated/calibrated-runtime.ts";
import { startLoopMeter } from "./loop-meter.ts";

/** The real server with the calibrated runtime in ONNX Runtime's place. Arguments: the models' folder, then flags as `--name=value`. */
const [folder, ...flags] = process.argv.slice(2);
const config = loadConfig({
  flags: new Map(flags.map((flag) => flag.split("=") as [string, string])),
  env: {},
});
const logger = createLogger("warn");
const server = await startServer({
  logger,
  clock: systemClock,
  random: Math.random,
  config,
  paths: [folder!],
  createRuntime: createCalibratedRuntime,
});
process.once("SIGTERM", () => {
  server.stop().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
server.settled.then(
  () => process.send?.({ url: server.url, healthUrl: server.healthUrl }),
  () => process.exit(1),
);
const meter = startLoopMeter();
process.on("message", (message: "lateness" | { readonly stallMs?: number }) => {
  if (message === "lateness") process.send?.({ lateness: meter.take() });
  // Stops the event loop as a native call would that takes too long.
  else if (message.stallMs !== undefined) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, message.stallMs);
  }
});
// The harness is gone: nobody will ever stop this server.
process.on("disconnect", () => process.exit(1));
