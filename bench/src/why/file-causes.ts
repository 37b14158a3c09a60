import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { pythonWithModels } from "../python-with-models.ts";
import type { FileCause } from "./why-cause.ts";
import { layersModel, productsModel, quickModel, wideModel } from "./why-models.ts";

const DIGITS = fileURLToPath(new URL("../../../examples/models/digits.pt2", import.meta.url));
const LAYERS = { width: 1024, layers: 6 };
const ONE = ["--connections", "1", "--protocol", "binary"];
const MANY = ["--connections", "16", "--protocol", "binary"];

function layers(folder: string, batch: number | string, name = "layers"): string {
  return layersModel(folder, name, { dims: [batch, LAYERS.width], ...LAYERS });
}

/** Computed in the window, and nothing else. */
export const FILE_CAUSES: readonly FileCause[] = [
  { kind: "file", id: undefined, args: () => [DIGITS, "--connections", "1"] },
  {
    kind: "file",
    id: "json_tensors",
    args: (folder) => [quickModel(folder, "image", ["batch", 3, 128, 128]), "--connections", "1"],
  },
  {
    kind: "file",
    id: "queue_delay",
    args: (folder) => [quickModel(folder, "delayed", ["batch", 4]), ...ONE, "--max-queue-delay", "20ms"],
  },
  {
    kind: "file",
    id: "batch_fixed",
    args: (folder) => [layers(folder, 1), ...MANY],
    mended: (folder) => [layers(folder, "batch", "again"), ...MANY],
  },
  {
    kind: "file",
    id: "batching_off",
    args: (folder) => [layers(folder, "batch"), ...MANY, "--batching=false"],
  },
  {
    kind: "file",
    id: "batch_limit",
    args: (folder) => [layers(folder, "batch"), ...MANY, "--max-batch-size", "2"],
  },
  {
    kind: "file",
    id: "queue_saturated",
    args: (folder) => [productsModel(folder, "products"), ...MANY, "--threads", "1"],
  },
  {
    kind: "file",
    id: "too_many_threads",
    args: (folder) => [
      productsModel(folder, "products"),
      ...ONE,
      "--threads",
      String(8 * availableParallelism()),
    ],
  },
  {
    kind: "file",
    id: "too_few_threads",
    args: (folder) => [productsModel(folder, "products", 512), ...ONE, "--threads", "1"],
  },
  {
    kind: "file",
    id: "padding_waste",
    args: (folder) => [
      layersModel(folder, "tokens", { dims: ["batch", "tokens", 256], width: 256, layers: 8 }),
      ...ONE,
      ...["--size", "40", "--pad-symbol", "tokens", "--pad-buckets", "512"],
    ],
  },
  {
    kind: "file",
    id: "large_outputs",
    args: (folder) => [wideModel(folder, "wide", 1 << 20, 16), ...ONE],
  },
  {
    kind: "file",
    id: "no_warm_up",
    args: async () => [DIGITS, ...ONE, "--warmup-runs", "0", "--requests", "20", ...(await onPython())],
  },
  {
    kind: "file",
    id: "compute_bound",
    args: (folder) => [
      layersModel(folder, "deep", { dims: ["batch", LAYERS.width], width: LAYERS.width, layers: 24 }),
      ...ONE,
    ],
  },
  {
    kind: "file",
    id: "left_on_python",
    args: async () => [DIGITS, ...ONE, ...(await onPython())],
  },
];

async function onPython(): Promise<readonly string[]> {
  return ["--runtime", "python", "--python", await pythonWithModels()];
}
