import { type RunningServer, startServer } from "../app/start-server.ts";
import { usualTranslationFolder } from "../app/translation-cache.ts";
import { systemClock } from "../base/clock.ts";
import { type Config, loadConfig } from "../config/load-config.ts";
import { MODEL_OPTIONS } from "../config/model-options.ts";
import { resolveOptions } from "../config/resolve-options.ts";
import { SERVER_OPTIONS } from "../config/server-options.ts";
import { optionsWithoutEffect, unknownVariables } from "../config/without-effect.ts";
import type { Arguments } from "./arguments.ts";
import { banner, curlAccess, readyReport } from "./banner.ts";
import type { Command, Terminal } from "./command.ts";
import { fitLines } from "./fit-lines.ts";
import { withFoundConfig } from "./found-config.ts";
import { leveledLogger } from "./leveled-logger.ts";
import { loadingNote } from "./loading-note.ts";
import { createLogger, readableStream } from "./logger.ts";
import { hasStores, requirePaths } from "./model-path.ts";
import { overlookedProperties, torchserveStart } from "./torchserve-start.ts";
import { usageError } from "./usage-error.ts";
import { starterOf, watchStarter } from "./watch-starter.ts";

const TELL_MS = 2000;
const RUN_OPTIONS = {
  dryRun: {
    kind: "flag",
    default: false,
    doc: "Serve nothing: read what the options name, load every model and run it once, print what would be served, and end as sconce check does.",
  },
} as const;

export const serveCommand: Command = {
  name: "serve",
  usage: "[NAME=]PATH|ADDRESS…",
  summary:
    "Serves model files and folders of models, of this machine or at s3://, gs:// and https:// addresses, over REST and gRPC on one port.",
  tables: [SERVER_OPTIONS, MODEL_OPTIONS, RUN_OPTIONS],
  run(given, terminal) {
    const { dryRun } = resolveOptions(RUN_OPTIONS, { flags: given.flags });
    const args = { ...given, flags: new Map([...given.flags].filter(([flag]) => flag !== "--dry-run")) };
    return dryRun ? rehearse(args, terminal) : serve(args, terminal);
  },
};

async function serve(args: Arguments, terminal: Terminal): Promise<number> {
  const { flags, found } = withFoundConfig(args.flags, terminal.env);
  const torchserve = await torchserveStart({ flags, paths: args.positionals }, terminal.env);
  const { paths = args.positionals, base } = torchserve ?? {};
  const notes = torchserve?.notes ?? overlookedProperties({ flags, paths }, terminal.env);
  if (paths.length === 0) {
    throw usageError("expected at least one PATH: a model file, or a folder of models");
  }
  const load = (): Config =>
    withTranslationCache(loadConfig({ flags, env: terminal.env, base }), terminal.env);
  const config = load();
  requirePaths(paths);
  const { signals } = terminal;
  const startedMs = systemClock.nowMs();
  const everything = createLogger("debug", readableStream(config.server.logFormat, terminal.env));
  const logger = leveledLogger(everything, config.server.logLevel);
  if (found !== undefined) logger.info({}, `the configuration is ${found} of this folder`);
  const idle = optionsWithoutEffect(config, { hasStores: hasStores(paths) });
  for (const words of [...notes, ...unknownVariables(terminal.env), ...idle]) logger.warn({}, words);
  // Before anybody is told that the server is there: whoever started it may end at once.
  const starter = starterOf(terminal.env);
  if (starter !== undefined && !terminal.isInteractive) logger.warn({}, underSupervisor(starter));
  watchStarter(terminal.env, () => {
    logger.warn(
      {},
      `${starter}, which started this server, is gone: draining. Run sconce itself under a supervisor`,
    );
    signals?.stop();
  });
  const running = await startServer({
    config,
    readConfig() {
      const next = load();
      logger.setLevel(next.server.logLevel);
      return next;
    },
    paths,
    logger,
    clock: systemClock,
    random: Math.random,
  });
  terminal.stdout.write(banner(running));
  const stopped = signals?.untilStopped(() => {
    if (!terminal.isInteractive) return running.stop();
    const note = stopNote(running.requestsInFlight(), config.server.drainTimeoutMs);
    // Behind the ^C that the terminal shows.
    terminal.stderr.write(`\n${fitLines(note, terminal.widths?.stderr)}`);
    return running.stop().finally(tellStopping(running, terminal));
  });
  signals?.onReload(() => void running.reload());
  signals?.onReport(() => logger.info(statusReport(running), "status, as SIGUSR2 asked"));
  const stopTelling = terminal.isInteractive ? tellLoading(running, terminal) : () => {};
  running.settled.finally(stopTelling).then(
    () =>
      terminal.stdout.write(
        readyReport(running, systemClock.nowMs() - startedMs, {
          columns: terminal.widths?.stdout,
          access: curlAccess(config.server),
        }),
      ),
    () => {},
  );
  await stopped;
  return 0;
}

/** Its code is loaded when it is asked for. */
async function rehearse(args: Arguments, terminal: Terminal): Promise<number> {
  const { checkServing } = await import("./list/check-serving.ts");
  return checkServing(args, { isStrict: false, isJson: false, showsServer: true }, terminal);
}

function withTranslationCache(config: Config, env: Terminal["env"]): Config {
  const { translationCache = usualTranslationFolder(env) } = config.server;
  return { ...config, server: { ...config.server, translationCache } };
}

function underSupervisor(starter: string): string {
  return `${starter} started this server without a terminal, and may keep SIGTERM to itself: let a supervisor or container run node_modules/.bin/sconce serve`;
}

/** What takes longer than a moment is told of, every now and then. */
function tellLoading(running: RunningServer, terminal: Terminal): () => void {
  return everyNow(() => {
    const note = loadingNote(running.models());
    if (note !== undefined) terminal.stderr.write(`${note}\n`);
  });
}

/** For whoever pressed Ctrl-C and waits. */
function stopNote(inFlight: number, drainTimeoutMs: number): string {
  if (inFlight === 0)
    return "Stopping: no request is in flight; the models' workers end. Ctrl-C again ends all at once.\n";
  const what = inFlight === 1 ? "1 request in flight finishes" : `${inFlight} requests in flight finish`;
  return `Stopping: ${what}, within ${drainTimeoutMs / 1000} s; then the models' workers end. Ctrl-C again ends all at once.\n`;
}

/** What is still waited for, every now and then; the function that comes back stops it. */
function tellStopping(running: RunningServer, terminal: Terminal): () => void {
  return everyNow(() => {
    const inFlight = running.requestsInFlight();
    const what =
      inFlight === 0
        ? "the models' workers"
        : `${inFlight} ${inFlight === 1 ? "request" : "requests"} in flight`;
    terminal.stderr.write(`waiting for ${what}; Ctrl-C again ends all at once\n`);
  });
}

function everyNow(tell: () => void): () => void {
  let cancel = (): void => {};
  const next = (): void => {
    cancel = systemClock.after(TELL_MS, () => {
      tell();
      next();
    });
  };
  next();
  return () => cancel();
}

/** What SIGUSR2 is answered with. */
function statusReport(running: RunningServer): object {
  return {
    uptimeS: Math.round(process.uptime()),
    residentBytes: process.memoryUsage.rss(),
    models: running.models(),
  };
}
