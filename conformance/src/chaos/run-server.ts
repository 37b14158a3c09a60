import {
  createLogger,
  loadConfig,
  type Runtime,
  type RuntimeOptions,
  startServer,
  systemClock,
} from "../internals/server.ts";
import { startLoopMeter } from "./loop-meter.ts";

/**
 * Makes this process a server under test, with a runtime of the caller's choice. Arguments: the models' folder, then flags as
 * `--name=value`. Its addresses go to the parent as a message; SIGTERM stops it.
 */
export async function runServer(createRuntime: (options: RuntimeOptions) => Runtime): Promise<void> {
  const [folder, ...flags] = process.argv.slice(2);
  const config = loadConfig({
    flags: new Map(flags.map((flag) => flag.split("=") as [string, string])),
    env: { SCONCE_CONFIG: process.env["SCONCE_CONFIG"] },
  });
  const server = await startServer({
    logger: createLogger("warn"),
    clock: systemClock,
    random: Math.random,
    config,
    paths: [folder!],
    createRuntime,
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
  obey();
}

/** What the harness may ask of the process that the server lives in. */
function obey(): void {
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
}
