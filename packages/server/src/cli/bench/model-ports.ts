import { isDatatype } from "@sconce/protocol";
import { ServeError } from "../../base/errors.ts";
import type { Dim, Signature, TensorSpec } from "../../base/signature.ts";
import { askServer, OPEN_ACCESS, refusal, type ServerAccess, unreachable } from "../server-access.ts";
import type { Target } from "./target.ts";

/** What a running server says of a model. */
export interface ModelPorts {
  readonly version: string;
  readonly signature: Signature;
  /** Rows of different requests may share a run. */
  readonly isBatching: boolean;
  readonly maxBatchSize: number;
  /** Its requests belong to sequences. */
  readonly hasSequences: boolean;
  readonly instances: number;
  readonly maxQueueDelayMs: number;
  /** `onnx` or `python`. */
  readonly runtime: string;
  /** How the file's format is called. */
  readonly platform: string;
}

type Json = Readonly<Record<string, unknown>>;

const ASK_LIMIT_MS = 30_000;

/** Reads metadata and configuration of a model from its server. Throws ServeError `unavailable` or what the server answered. */
export async function readModelPorts({
  origin,
  model,
  version,
  access = OPEN_ACCESS,
}: Pick<Target, "origin" | "model" | "version"> & Partial<Pick<Target, "access">>): Promise<ModelPorts> {
  const path = `${origin}/v2/models/${encodeURIComponent(model)}${version === undefined ? "" : `/versions/${encodeURIComponent(version)}`}`;
  const metadata = await ask(path, access);
  const config = await ask(`${path}/config`, access).catch((): Json => ({}));
  const batching = config["dynamic_batching"] as Json | undefined;
  const maxBatchSize = Number(config["max_batch_size"] ?? 0);
  const versions = metadata["versions"];
  return {
    version: version ?? (Array.isArray(versions) ? String(versions.at(-1) ?? "") : ""),
    signature: {
      inputs: specs(metadata["inputs"]),
      outputs: specs(metadata["outputs"]),
      batching: { kind: "off", reason: "" },
    },
    isBatching: maxBatchSize > 0,
    maxBatchSize,
    hasSequences: config["sequence_batching"] !== undefined,
    instances: Number((config["instance_group"] as readonly Json[] | undefined)?.[0]?.["count"] ?? 1),
    maxQueueDelayMs: Number(batching?.["max_queue_delay_microseconds"] ?? 0) / 1000,
    runtime: String(config["backend"] ?? ""),
    platform: String(metadata["platform"] ?? ""),
  };
}

/** One GET that answers JSON. Throws ServeError. */
async function ask(url: string, access: ServerAccess): Promise<Json> {
  const response = await get(url, access);
  const body = (await response.json().catch(() => ({}))) as Json;
  if (!response.ok) {
    throw new ServeError("not_found", refusal(response.status, String(body["error"] ?? "")));
  }
  return body;
}

/** One request without a body. Throws ServeError `unavailable` when nobody answers. */
export async function get(
  url: string,
  access: ServerAccess,
  method: "GET" | "POST" = "GET",
): Promise<Response> {
  try {
    return await askServer(url, { method, timeoutMs: ASK_LIMIT_MS }, access);
  } catch (cause) {
    throw new ServeError("unavailable", unreachable(url, cause), { cause });
  }
}

function specs(value: unknown): TensorSpec[] {
  if (!Array.isArray(value)) return [];
  return value.map((item: Json) => {
    const datatype = String(item["datatype"]);
    if (!isDatatype(datatype)) {
      throw new ServeError(
        "invalid_argument",
        `the model has the datatype ${datatype}, which is not known here`,
      );
    }
    const shape = item["shape"] as readonly number[];
    const dims = shape.map((size, axis): Dim => {
      return size >= 0 ? size : { symbol: axis === 0 ? "rows" : `size${axis}`, min: 1, max: undefined };
    });
    return { name: String(item["name"]), datatype, dims };
  });
}
