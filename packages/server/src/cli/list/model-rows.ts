import { showShape } from "@sconce/protocol";
import { ServeError } from "../../base/errors.ts";
import { oneLine } from "../../base/printable.ts";
import { get } from "../bench/model-ports.ts";
import { OPEN_ACCESS, refusal, type ServerAccess } from "../server-access.ts";
import { sizeText } from "../size-text.ts";

/** What a server says of one version of one model. */
export interface ModelRow {
  readonly name: string;
  readonly version: string;
  readonly state: string;
  /** Why it is in that state; "" when there is nothing to say. */
  readonly reason: string;
  /** Undefined while it is not loaded. */
  readonly loaded: LoadedRow | undefined;
}

export interface LoadedRow {
  /** `image: FP32 [-1,1,8,8]`, −1 for sizes that requests choose. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** `onnx` or `python`; empty for a pipeline. */
  readonly runtime: string;
  readonly instances: number;
  /** The models of a pipeline's steps; empty: it is none. */
  readonly steps: readonly string[];
  /** `up to 32 rows of a run`, or `off: ` and why. */
  readonly batching: string;
  readonly weightBytes: number;
  /** Resident memory of all its workers; undefined where the system does not say. */
  readonly workerBytes: number | undefined;
}

type Json = Readonly<Record<string, unknown>>;

const RESIDENT = /^sconce_worker_resident_bytes\{(.*)\} (\S+)$/gm;

/** Asks a server for all that it has. Rejects with ServeError `unavailable` when none answers. */
export async function readModelRows(origin: string, access: ServerAccess = OPEN_ACCESS): Promise<ModelRow[]> {
  const asked = { origin, access };
  const index = await ask(`${origin}/v2/repository/index`, access, "POST");
  const resident = await readResident(asked);
  return Promise.all(
    (index as unknown as readonly Json[]).map(async (entry): Promise<ModelRow> => {
      const [name, version] = [String(entry["name"]), String(entry["version"])];
      const isReady = entry["state"] === "READY";
      return {
        name,
        version,
        state: String(entry["state"]),
        reason: String(entry["reason"] ?? ""),
        loaded: isReady
          ? await readLoaded(asked, { name, version, resident }).catch(() => undefined)
          : undefined,
      };
    }),
  );
}

interface Asked {
  readonly origin: string;
  readonly access: ServerAccess;
}

interface Wanted {
  readonly name: string;
  readonly version: string;
  readonly resident: ReadonlyMap<string, number>;
}

async function readLoaded(
  { origin, access }: Asked,
  { name, version, resident }: Wanted,
): Promise<LoadedRow> {
  const path = `${origin}/v2/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}`;
  const [metadata, config, statistics] = await Promise.all([
    ask(path, access),
    ask(`${path}/config`, access),
    ask(`${path}/stats`, access),
  ]);
  const rows = Number(config["max_batch_size"] ?? 0);
  const why = ((config["parameters"] as Json)?.["batching"] as Json)?.["string_value"];
  const [stats] = (statistics["model_stats"] ?? []) as readonly Json[];
  const [memory] = (stats?.["memory_usage"] ?? []) as readonly Json[];
  const ensemble = config["ensemble_scheduling"] as { readonly step?: readonly Json[] } | undefined;
  const steps = (ensemble?.step ?? []).map((step) => String(step["model_name"]));
  const [group] = (config["instance_group"] ?? []) as readonly Json[];
  return {
    inputs: ports(metadata["inputs"]),
    outputs: ports(metadata["outputs"]),
    runtime: String(config["backend"] ?? ""),
    instances: Number(group?.["count"] ?? (steps.length > 0 ? 0 : 1)),
    steps,
    batching: rows > 0 ? `up to ${rows} rows of a run` : String(why ?? "off"),
    weightBytes: Number(memory?.["byte_size"] ?? 0),
    workerBytes: resident.get(`${name} ${version}`),
  };
}

function ports(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.map(
    ({ name, datatype, shape }: Json) => `${name}: ${datatype} ${showShape(shape as number[])}`,
  );
}

/** Of every model's workers together, by name and version. A server may keep its metrics to itself. */
async function readResident({ origin, access }: Asked): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  const page = await get(`${origin}/metrics`, access).catch(() => undefined);
  if (page?.ok !== true) return found;
  for (const [, labels = "", value] of (await page.text()).matchAll(RESIDENT)) {
    const key = `${labelOf(labels, "model")} ${labelOf(labels, "version")}`;
    found.set(key, (found.get(key) ?? 0) + Number(value));
  }
  return found;
}

function labelOf(labels: string, name: string): string {
  return new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? "";
}

async function ask(url: string, access: ServerAccess, method: "GET" | "POST" = "GET"): Promise<Json> {
  const response = await get(url, access, method);
  const body = (await response.json().catch(() => ({}))) as Json;
  if (response.ok) return body;
  throw new ServeError(
    "not_found",
    refusal(response.status, String(body["error"] ?? "it is no Sconce server")),
  );
}

/** The rows for people: a line with the state, and indented what a loaded model takes and costs. */
export function modelRowsText(rows: readonly ModelRow[]): string {
  const width = Math.max(5, ...rows.map(({ name }) => name.length));
  const lines = rows.flatMap(({ name, version, state, reason, loaded }) => [
    `${oneLine(name).padEnd(width)}  ${version.padEnd(3)} ${state}${reason === "" ? "" : `: ${oneLine(reason)}`}`,
    ...(loaded === undefined ? [] : loadedLines(loaded).map((line) => `${" ".repeat(width)}      ${line}`)),
  ]);
  return lines.map((line) => `${line}\n`).join("");
}

function loadedLines({
  inputs,
  outputs,
  runtime,
  instances,
  steps,
  batching,
  weightBytes,
  workerBytes,
}: LoadedRow): string[] {
  const workers = instances === 1 ? "1 worker" : `${instances} workers`;
  const memory = workerBytes === undefined ? "" : ` of ${sizeText(workerBytes)}`;
  return [
    `${inputs.join(", ")} → ${outputs.join(", ")}`,
    `batching  ${oneLine(batching)}`,
    steps.length === 0
      ? `runs on   ${runtime} in ${workers}${memory}, ${sizeText(weightBytes)} of weights`
      : `steps     ${steps.join(", ")}`,
  ];
}
