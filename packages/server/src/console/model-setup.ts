import type { ModelSetup } from "../why/evidence.ts";
import type { ServerApi, TensorPort } from "./server-api.ts";

type Spec = ModelSetup["signature"]["inputs"][number];
type Json = Readonly<Record<string, unknown>>;

const MICROS_PER_MS = 1000;
const BITS = 8;

/** How a model is set up, of what its server says of it. */
export async function readModelSetup(api: ServerApi, model: string): Promise<ModelSetup> {
  const path = `v2/models/${encodeURIComponent(model)}`;
  const [metadata, config] = await Promise.all(
    [path, `${path}/config`].map(async (at) => (await api.request(at)).json() as Promise<Json>),
  );
  const { inputs, outputs } = metadata as unknown as {
    readonly [name in "inputs" | "outputs"]: TensorPort[];
  };
  const batching = config!["dynamic_batching"] as Json | undefined;
  const maxBatchSize = Number(config!["max_batch_size"] ?? 0);
  return {
    signature: { inputs: inputs.map(specOf), outputs: outputs.map(specOf) },
    isBatching: maxBatchSize > 0,
    maxBatchSize,
    instances: Number((config!["instance_group"] as readonly Json[] | undefined)?.[0]?.["count"] ?? 1),
    maxQueueDelayMs: Number(batching?.["max_queue_delay_microseconds"] ?? 0) / MICROS_PER_MS,
    runtime: String(config!["backend"] ?? ""),
    platform: String(config!["platform"] ?? ""),
  };
}

function specOf({ name, datatype, shape }: TensorPort): Spec {
  const dims = shape.map((size, axis) =>
    size >= 0 ? size : { symbol: axis === 0 ? "rows" : `size${axis}`, min: 1, max: undefined },
  );
  return { name, datatype: datatype as Spec["datatype"], dims }; // the server knows the datatypes that it names
}

/** Bytes of an element, which its datatype is named after: 4 of FP32. */
export function elementBytes(datatype: string): number {
  return Number(/\d+/.exec(datatype)?.[0] ?? BITS) / BITS;
}
