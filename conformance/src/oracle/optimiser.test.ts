// Tests that the oracle sees what ONNX Runtime's optimiser breaks, and that it breaks nothing in what programs become.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { encodeModel, type OnnxModel } from "@sconce/torch";
import { Tensor as OrtTensor } from "onnxruntime-node";
import type { FixtureTensor } from "./fixture-pack.ts";
import { optimiserDifference } from "./optimiser.ts";
import { reportOf, totalsText } from "./report.ts";
import { runOracle } from "./run-oracle.ts";

const FIXTURES = fileURLToPath(new URL("../../../packages/torch/fixtures", import.meta.url));
/** Ops that move, cut and join elements, and those that ONNX Runtime merges with others; `npm run oracle` asks all. */
const PART =
  /^(nn\.functional\.(pad|conv|batch_norm|layer_norm|gelu|silu|hardswish|interpolate|pixel)|transpose|permute|cat|stack|roll|flip|tile|repeat|split|slice|gather|addmv|mv|matmul|bmm|addmm|linear|softmax|squeeze|unsqueeze|expand|attention|in_place)/;

const ints = (name: string, values: readonly bigint[]) => ({
  name,
  dtype: "int64" as const,
  dims: [values.length],
  data: new Uint8Array(BigInt64Array.from(values).buffer),
});

/** y is x with a column before and two behind; only one axis is named. */
const PAD_WITH_AXES: OnnxModel = {
  opsets: new Map([["", 23]]),
  graph: {
    name: "main",
    inputs: [{ name: "x", dtype: "float32", dims: [2, 3, 4] }],
    outputs: [{ name: "y", dtype: "float32", dims: [2, 3, 7] }],
    initializers: [ints("pads", [1n, 2n]), ints("axes", [2n])],
    nodes: [{ type: "Pad", domain: "", inputs: ["x", "pads", "", "axes"], outputs: ["y"], attributes: {} }],
  },
};

test("a Pad that names its axes is seen to come out wrong between transpositions", async () => {
  const output: FixtureTensor = {
    dtype: "float32",
    shape: [2, 3, 7],
    bytes: new Uint8Array(4 * 42),
    unspecified: false,
  };
  const found = await optimiserDifference({
    model: encodeModel(PAD_WITH_AXES),
    program: new Uint8Array(0),
    feeds: (shape) => [
      new OrtTensor(
        "float32",
        Float32Array.from({ length: 24 }, (_, i) => i),
        [...shape([2, 3, 4])],
      ),
    ],
    outputs: [output],
  });
  assert.match(found ?? "", /^between transpositions, the optimised graph (fails|answers otherwise)/);
});

test("programs are answered alike, whether ONNX Runtime may rewrite them or not", {
  timeout: 600_000,
}, async (t) => {
  const files = ["op-db", "modules"].flatMap((folder) =>
    readdirSync(join(FIXTURES, folder))
      .filter((name) => PART.test(name))
      .map((name) => join(FIXTURES, folder, name)),
  );
  const results = await runOracle({ files, jobs: 2, sampleTimeoutMs: 60_000, withoutOptimiser: true });
  const { failures, totals } = reportOf(results);
  t.diagnostic(totalsText(totals));
  assert.deepEqual(failures, []);
});
