// The program of a private server: sconce serve for one path, with settings that come before those of the model's own files.
import { usualTranslationFolder } from "../../app/translation-cache.ts";
import { systemClock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import { loadConfig, type ModelSettings } from "../../config/load-config.ts";
import { MODEL_OPTIONS } from "../../config/model-options.ts";
import { SERVER_OPTIONS } from "../../config/server-options.ts";
import { parseArguments } from "../arguments.ts";
import { withFoundConfig } from "../found-config.ts";
import { createLogger } from "../logger.ts";
import { startOwnServer } from "../own-server.ts";

/** The first argument is `{model: {key: value}}` as JSON, the others are those of `sconce serve`. */
const [settings = "{}", ...rest] = process.argv.slice(2);

try {
  const args = parseArguments(rest, [SERVER_OPTIONS, MODEL_OPTIONS]);
  const { flags } = withFoundConfig(args.flags, process.env);
  const modelSettings: ModelSettings = new Map(Object.entries(JSON.parse(settings)));
  const config = loadConfig({
    flags,
    env: process.env,
    base: { name: "the settings to try", values: {}, modelSettings },
  });
  const { translationCache = usualTranslationFolder(process.env) } = config.server;
  // Whoever started it holds the other end, and nobody else asks it: it ends at once, and its workers with it.
  const end = (): never => process.exit(0);
  process.stdin.on("end", end).on("error", end).resume();
  const running = await startOwnServer({
    // Answers of others would not be this server's.
    config: { ...config, server: { ...config.server, translationCache, cacheStore: undefined } },
    paths: args.positionals,
    logger: createLogger("error"),
    clock: systemClock,
    random: Math.random,
  });
  process.stdout.write(`listens on ${running.url}\n`);
} catch (error) {
  process.stderr.write(`${ServeError.from(error).message}\n`);
  process.exitCode = 1;
}
