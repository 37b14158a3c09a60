import { ServeError } from "../base/errors.ts";
import { nearestWord } from "../base/nearest-word.ts";
import { rejectPasswordInFlags } from "./cache-store-address.ts";
import { MODEL_OPTIONS, type ModelConfig } from "./model-options.ts";
import { fileKey, flagName } from "./option.ts";
import { otelSettings } from "./otel-environment.ts";
import { PIPELINE_KEY } from "./pipeline-settings.ts";
import { type OptionSources, rejectUnknownKeys, resolveOptions } from "./resolve-options.ts";
import { readRollout } from "./rollout-settings.ts";
import { SERVER_OPTIONS, type ServerConfig } from "./server-options.ts";
import { readShadow } from "./shadow-settings.ts";
import { readYaml, type YamlFile } from "./yaml-file.ts";

/** The server's options, and the options every model starts from. Both frozen. */
export interface Config {
  readonly server: ServerConfig;
  readonly modelDefaults: ModelConfig;
  /** Keys of model.yaml, by model, that come before those of the models' own files. */
  readonly modelSettings?: ModelSettings;
}

export type ModelSettings = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

/** What another server's configuration says, under everything that is said in our own words. */
export interface BaseConfig extends YamlFile {
  readonly modelSettings: ModelSettings;
}

const NO_FILE: YamlFile = { name: "", values: {} };

/**
 * The configuration of a server: `flags` as on the command line (`new Map([["--port", "0"]])`) over `env` (`SCONCE_PORT`) over the file
 * that `--config` or `SCONCE_CONFIG` names over `base` over the defaults. Throws ServeError `invalid_argument` that names the option.
 */
export function loadConfig(
  given: Omit<OptionSources, "file"> & { readonly base?: BaseConfig | undefined },
): Config {
  checkSources(given);
  const { env } = given;
  const sources = env === undefined ? given : { ...given, env: { ...otelSettings(env), ...env } };
  rejectUnknownFlags(sources.flags ?? new Map());
  rejectPasswordInFlags(sources.flags ?? new Map());
  const named = resolveOptions({ config: SERVER_OPTIONS.config }, sources).config;
  const file = named === undefined ? NO_FILE : readYaml(named);
  rejectUnknownKeys(file, [...Object.keys(SERVER_OPTIONS).map(fileKey), "models"]);
  const models = modelSection(file);
  rejectUnknownKeys(models, Object.keys(MODEL_OPTIONS).map(fileKey));
  const { base } = sources;
  const under =
    base === undefined
      ? undefined
      : {
          server: resolveOptions(SERVER_OPTIONS, { file: base }),
          models: resolveOptions(MODEL_OPTIONS, { file: modelSection(base) }),
        };
  const server = resolveOptions(SERVER_OPTIONS, { ...sources, file }, under?.server);
  if (base === undefined) rejectTsConfig(server);
  for (const [model, values] of base?.modelSettings ?? [])
    resolveOptions(MODEL_OPTIONS, { file: { name: `${base?.name} (${model.slice(0, 80)})`, values } });
  const modelDefaults = resolveOptions(MODEL_OPTIONS, { ...sources, file: models }, under?.models);
  readShadow(modelDefaults.shadow);
  readRollout(modelDefaults.rollout);
  return {
    server,
    modelDefaults,
    ...(base !== undefined && { modelSettings: base.modelSettings }),
  };
}

/** Only the commands read such a file, so that nobody else's server loads what reads it. */
function rejectTsConfig({ tsConfig }: ServerConfig): void {
  if (tsConfig === undefined || tsConfig === "none") return;
  throw new ServeError(
    "invalid_argument",
    "ts_config is an option of the commands serve and check, as --ts-config or SCONCE_TS_CONFIG; in a file or a program write what sconce migrate shows",
    { reason: "bad_option" },
  );
}

/** What a program without types may get wrong: without a word, its port would be the default one. */
function checkSources(sources: object): void {
  for (const key of Object.keys(sources)) {
    if (key !== "flags" && key !== "env" && key !== "base") {
      throw new ServeError(
        "invalid_argument",
        `loadConfig: unknown key ${JSON.stringify(key.slice(0, 80))}; known are flags and env`,
        { reason: "bad_option" },
      );
    }
  }
  if (!("flags" in sources) || sources.flags === undefined || sources.flags instanceof Map) return;
  throw new ServeError(
    "invalid_argument",
    'loadConfig: flags must be a Map, such as new Map([["--port", "0"]])',
    { reason: "bad_option" },
  );
}

function rejectUnknownFlags(flags: ReadonlyMap<string, unknown>): void {
  const known = [...Object.keys(SERVER_OPTIONS), ...Object.keys(MODEL_OPTIONS)].map(flagName);
  const unknown = [...flags.keys()].find((flag) => !known.includes(flag));
  if (unknown === undefined) return;
  const near = known.find((flag) => flag === `--${unknown}`) ?? nearestWord(unknown, known);
  const hint = near === undefined ? "" : `; did you mean ${near}?`;
  throw new ServeError("invalid_argument", `unknown option ${JSON.stringify(unknown.slice(0, 80))}${hint}`, {
    reason: "bad_option",
  });
}

function modelSection(file: YamlFile): YamlFile {
  const section = file.values["models"] ?? {};
  const isMapping = typeof section === "object" && section !== null && !Array.isArray(section);
  return {
    name: `${file.name} (models)`,
    values: isMapping ? (section as Record<string, unknown>) : { models: section },
  };
}

/** A model's options: its `model.yaml`, as it was read, over the server's defaults. Throws `invalid_argument` naming the key. */
export function loadModelConfig(file: YamlFile | undefined, defaults: ModelConfig): ModelConfig {
  if (file === undefined) return defaults;
  rejectUnknownKeys(file, [...Object.keys(MODEL_OPTIONS).map(fileKey), PIPELINE_KEY]);
  return resolveOptions(MODEL_OPTIONS, { file }, defaults);
}
