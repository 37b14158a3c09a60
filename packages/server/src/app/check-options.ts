import { ServeError } from "../base/errors.ts";
import { nearestWord } from "../base/nearest-word.ts";
import { MODEL_OPTIONS } from "../config/model-options.ts";
import { SERVER_OPTIONS } from "../config/server-options.ts";

/**
 * What a program without types may get wrong. `known`: the keys there are. Throws `invalid_argument`/`bad_option` for an unknown or misspelt key, for paths that are no
 * list of texts, and for a configuration that does not come from `loadConfig`.
 */
export function checkOptions(given: unknown, known: readonly string[]): void {
  if (!isObject(given)) throw bad("startServer takes an object, such as { paths: ['models'] }");
  requireKnown(given, "startServer", known);
  const { paths, config } = given;
  if (!Array.isArray(paths) || paths.some((path) => typeof path !== "string" || path === ""))
    throw bad("startServer: paths must be a list of texts, such as ['models']");
  if (paths.length === 0) throw bad("startServer: paths is empty; name a model file, or a folder of models");
  if (config === undefined) return;
  if (!isObject(config) || !isObject(config.server) || !isObject(config.modelDefaults)) {
    throw bad("startServer: config must come from loadConfig, such as loadConfig({ env: process.env })");
  }
  requireKnown(config, "config", ["server", "modelDefaults", "modelSettings"]);
  requireKnown(config.server, "config.server", Object.keys(SERVER_OPTIONS));
  requireKnown(config.modelDefaults, "config.modelDefaults", Object.keys(MODEL_OPTIONS));
  for (const name of Object.keys(SERVER_OPTIONS)) {
    if (!(name in config.server))
      throw bad(`config.server: ${name} is missing; config must come from loadConfig`);
  }
}

function requireKnown(object: object, where: string, known: readonly string[]): void {
  const unknown = Object.keys(object).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  const near = nearestWord(unknown, known);
  const hint =
    near === undefined ? `; known are ${known.slice(0, 10).join(", ")}` : `; did you mean ${near}?`;
  throw bad(`${where}: unknown key ${JSON.stringify(unknown.slice(0, 80))}${hint}`);
}

function isObject(
  value: unknown,
): value is { readonly [Key in "server" | "modelDefaults" | "paths" | "config"]?: unknown } {
  return typeof value === "object" && value !== null;
}

function bad(message: string): ServeError {
  return new ServeError("invalid_argument", message, { reason: "bad_option" });
}
