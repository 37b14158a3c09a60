import { ServeError } from "../../base/errors.ts";
import { readTorchserveModel } from "./torchserve-model-keys.ts";
import type { TorchserveRow } from "./torchserve-row.ts";

/** A model that TorchServe has in memory from the start. */
export interface StartupModel {
  /** Undefined: the one that its archive says, else that of its file. */
  readonly name: string | undefined;
  /** In the model store, or a path. */
  readonly file: string;
}

/** What config.properties says of single models. */
export interface TorchserveModels {
  /** Keys of model.yaml, by model. */
  readonly settings: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  /** The models of a snapshot, or undefined. */
  readonly startup: readonly StartupModel[] | undefined;
  readonly rows: readonly TorchserveRow[];
}

type Json = Readonly<Record<string, unknown>>;

/** Reads `models=` and `model_snapshot=`. Throws `invalid_argument`/`bad_config_file` for what is no JSON of theirs. */
export function readTorchserveModels(
  properties: ReadonlyMap<string, string>,
  name: string,
): TorchserveModels {
  const settings = new Map<string, Json>();
  const rows: TorchserveRow[] = [];
  const startup: StartupModel[] = [];
  const snapshot = parse(properties.get("model_snapshot"), `model_snapshot in ${name}`);
  const snapped = snapshot === undefined ? undefined : (objectOf(snapshot["models"]) ?? {});
  const said = { ...snapped, ...parse(properties.get("models"), `models in ${name}`) };
  for (const [model, versions] of Object.entries(said)) {
    const found = newestOf(versions, `models in ${name}: ${model.slice(0, 80)}`);
    if (found === undefined) continue;
    const { values, rows: own } = readTorchserveModel(found);
    settings.set(model, values);
    rows.push(...own.map((row) => ({ ...row, key: `${model.slice(0, 80)}.${row.key}` })));
    const file = found["marName"];
    if (snapped?.[model] !== undefined && typeof file === "string") startup.push({ name: model, file });
  }
  return { settings, rows, startup: snapped === undefined ? undefined : startup };
}

/** Of several versions the one that answers: the default, else the last. */
function newestOf(versions: unknown, label: string): Json | undefined {
  const all = Object.values(objectOf(versions) ?? {}).map(objectOf);
  if (all.length === 0 || all.includes(undefined))
    throw bad(`${label}: expected versions and their settings, such as {"1.0": {"minWorkers": 1}}`);
  return all.find((one) => one?.["defaultVersion"] === true) ?? all.at(-1);
}

/** `load_models`: file names, `name=file`, `all`; undefined: not said. */
export function readLoadModels(text: string | undefined): readonly StartupModel[] | "all" | undefined {
  if (text === undefined || text.trim() === "") return undefined;
  if (text.trim().toLowerCase() === "all") return "all";
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => {
      const at = part.indexOf("=");
      return at < 0
        ? { name: undefined, file: part }
        : { name: part.slice(0, at).trim(), file: part.slice(at + 1).trim() };
    })
    .filter(({ file }) => file !== "");
}

function parse(text: string | undefined, label: string): Json | undefined {
  if (text === undefined || text.trim() === "") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw bad(`${label}: it is not JSON`);
  }
  const found = objectOf(value);
  if (found === undefined) throw bad(`${label}: expected an object`);
  return found;
}

function objectOf(value: unknown): Json | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as Json) : undefined;
}

function bad(message: string): ServeError {
  return new ServeError("invalid_argument", message, { reason: "bad_config_file" });
}
