import { ServeError } from "../base/errors.ts";
import type { SettingsFile } from "./settings-file.ts";

const MAX_BYTES = 2 ** 20;
/** What MLServer's ModelSettings has that another server can do without. */
const WITHOUT_EFFECT = ["platform", "versions", "inputs", "outputs", "cache_enabled", "env"];
const IGNORED = new Set([
  "name",
  "implementation",
  "max_batch_size",
  "max_batch_time",
  "parameters",
  "parallel_workers",
  "warm_workers",
]);

/** What a model-settings.json says, as keys of model.yaml. Throws `invalid_argument`/`bad_config_file`. */
export function readMlserverSettings(text: string, name: string): SettingsFile {
  const fail = (why: string): ServeError =>
    new ServeError("invalid_argument", `${name}: ${why}`, { reason: "bad_config_file" });
  if (Buffer.byteLength(text) > MAX_BYTES) throw fail(`larger than ${MAX_BYTES} bytes`);
  const settings = record(parse(text, fail));
  if (settings === undefined) throw fail("expected an object");
  const values: Record<string, unknown> = {};
  const size = settings["max_batch_size"];
  const seconds = settings["max_batch_time"];
  const workers = settings["parallel_workers"];
  // MLServer batches where both are above 0.
  if (isCount(size) && size > 1) values["max_batch_size"] = size;
  if (typeof seconds === "number" && seconds > 0) values["max_queue_delay"] = seconds * 1000;
  if (isCount(workers) && workers > 0) values["instances"] = workers;
  const parameters = record(settings["parameters"]) ?? {};
  const remarks = WITHOUT_EFFECT.filter((key) => isSet(settings[key])).map((key) => `${key} has no effect`);
  for (const key of Object.keys(settings))
    if (!IGNORED.has(key) && !WITHOUT_EFFECT.includes(key))
      remarks.push(`${JSON.stringify(key.slice(0, 60))} has no effect`);
  const uri = parameters["uri"];
  const file = typeof uri === "string" ? /^(?:\.\/)?([^/\\]{1,255})$/.exec(uri)?.[1] : undefined;
  if (uri !== undefined && file === undefined)
    remarks.push("parameters.uri has no effect: the model is the file in this folder");
  for (const key of Object.keys(parameters))
    if (key !== "uri" && key !== "version") remarks.push(`parameters.${key.slice(0, 60)} has no effect`);
  return {
    name,
    values,
    remarks: remarks.slice(0, 20).map((remark) => `${name}: ${remark}`),
    ...(file !== undefined && file !== "." && { modelFile: file }),
  };
}

function parse(text: string, fail: (why: string) => ServeError): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw fail("it is not JSON");
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
  return isRecord ? (value as Record<string, unknown>) : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value);
}

function isSet(value: unknown): boolean {
  return (
    value !== undefined &&
    value !== null &&
    value !== false &&
    value !== "" &&
    !(Array.isArray(value) && value.length === 0)
  );
}
