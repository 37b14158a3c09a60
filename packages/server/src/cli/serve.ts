import { startServer } from "../app/start-server.ts";
import { systemClock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import { loadConfig } from "../config/load-config.ts";
import { MODEL_OPTIONS } from "../config/model-options.ts";
import { SERVER_OPTIONS } from "../config/server-options.ts";
import { banner, readyReport } from "./banner.ts";
import type { Command } from "./command.ts";
import { createLogger } from "./logger.ts";

const EXIT_FORCED = 130;

export const serveCommand: Command = {
  name: "serve",
  usage: "PATH…",
  summary: "Serves model files and folders of models over REST and gRPC on one port.",
  tables: [SERVER_OPTIONS, MODEL_OPTIONS],
  async run(args, terminal) {
    if (args.positionals.length === 0) {
      throw new ServeError(
        "invalid_argument",
        "expected at least one PATH: a model file, or a folder of models",
        {
          reason: "bad_arguments",
        },
      );
    }
    const config = loadConfig({ flags: args.flags, env: terminal.env });
    const startedMs = systemClock.nowMs();
    const running = await startServer({
      config,
      paths: args.positionals,
      logger: createLogger(config.server.logLevel),
      clock: systemClock,
      random: Math.random,
    });
    terminal.stdout.write(banner(running));
    const stopped = stopOnSignal(() => running.stop());
    running.settled.then(
      () => terminal.stdout.write(readyReport(running, systemClock.nowMs() - startedMs)),
      () => {},
    );
    await stopped;
    return 0;
  },
};

/** Resolves once the first SIGTERM or SIGINT has been answered by a full drain; a second one ends the process at once. */
function stopOnSignal(stop: () => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    let stopping = false;
    const onSignal = (): void => {
      if (stopping) process.exit(EXIT_FORCED);
      stopping = true;
      stop().then(resolve, reject);
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}
