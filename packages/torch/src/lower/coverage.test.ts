// Tests table.ts: each op has a fixture.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { openZip } from "../archive/zip.ts";
import type { Arg, Graph } from "../graph/ir.ts";
import { nodePlatform, openFileSource } from "../node.ts";
import { readProgramFile } from "../translate/program-file.ts";
import { openFixture } from "./fixture.kit.ts";
import { supportedOps } from "./supported-ops.ts";

const fixtures = fileURLToPath(new URL("../../fixtures", import.meta.url));

/**
 * Spellings that PyTorch 2.13 does not write for any module that the fixture scripts hold: most are aliases that share the lowering of
 * a tested op, and lstsq cannot be exported. The list may only shrink.
 */
const WITHOUT_FIXTURE: readonly string[] = [
  "aten._add_relu.Tensor",
  "aten._reshape_alias.default",
  "aten._scaled_dot_product_efficient_attention.default",
  "aten._scaled_dot_product_flash_attention.default",
  "aten._unsafe_view.default",
  "aten.bitwise_left_shift.Tensor_Scalar",
  "aten.bitwise_right_shift.Tensor_Scalar",
  "aten.bucketize.Scalar",
  "aten.clamp_max.default",
  "aten.concat.default",
  "aten.concatenate.default",
  "aten.conj.default",
  "aten.div.Scalar_mode",
  "aten.divide.Scalar",
  "aten.divide.Scalar_mode",
  "aten.embedding_bag.default",
  "aten.linalg_lstsq.default",
  "aten.meshgrid.default",
  "aten.multiply.Scalar",
  "aten.new_empty.default",
  "aten.nll_loss.default",
  "aten.nll_loss2d.default",
  "aten.remainder.Scalar_Tensor",
  "aten.select_copy.int",
  "aten.slice_copy.Tensor",
  "aten.special_xlog1py.other_scalar",
  "aten.split.sizes",
  "aten.split_copy.Tensor",
  "aten.squeeze_copy.dims",
  "aten.subtract.Scalar",
  "aten.to.other",
  "aten.true_divide.Scalar",
  "aten.unsafe_split_with_sizes.default",
];

/** Targets of a graph and the graphs inside it. */
function addTargets(graph: Graph, found: Set<string>): void {
  const visit = (arg: Arg): void => {
    if (arg.kind === "graph") addTargets(arg.graph, found);
    else if (arg.kind === "list") arg.items.forEach(visit);
  };
  for (const node of graph.nodes) {
    found.add(node.target);
    for (const arg of node.args.values()) visit(arg);
  }
}

function targetsOfZip(path: string, found: Set<string>): void {
  const source = openFileSource(path);
  const zip = openZip(source, nodePlatform);
  for (const name of zip.entries.keys()) {
    if (!/\.pt2?$/.test(name)) continue;
    const isScripted = path.startsWith(join(fixtures, "scripted"));
    const inputs = isScripted ? openFixture(zip.open(name)).about.inputs : undefined;
    const options = inputs === undefined ? {} : { inputs: new Map(Object.entries(inputs)) };
    addTargets(readProgramFile(zip.open(name), nodePlatform, options).reading.program.graph, found);
  }
  source.close();
}

/** The header of a pack of the op oracle lists the targets of its programs (scripts/python/fixture_pack.py). */
function targetsOfPack(path: string, found: Set<string>): void {
  const unpacked = gunzipSync(readFileSync(path));
  const header = JSON.parse(unpacked.toString("utf8", 4, 4 + unpacked.readUInt32LE(0))) as {
    readonly samples: readonly { readonly targets: readonly string[] }[];
  };
  for (const { targets } of header.samples) for (const target of targets) found.add(target);
}

/** `aten.relu_.default` runs the lowering of `aten.relu.default`. */
function functionalForm(target: string): string {
  return target.replace(/_(\.[^.]+)$/, "$1");
}

test("every op of the table is run against PyTorch by a committed fixture, but for a list that only shrinks", () => {
  const found = new Set<string>();
  for (const name of readdirSync(fixtures, { recursive: true, encoding: "utf8" })) {
    if (name.endsWith(".zip")) targetsOfZip(join(fixtures, name), found);
    else if (name.endsWith(".pack")) targetsOfPack(join(fixtures, name), found);
  }
  for (const target of [...found]) found.add(functionalForm(target));
  const missing = supportedOps()
    .map(({ target }) => target)
    .filter((target) => !found.has(target));
  assert.deepEqual(missing, WITHOUT_FIXTURE);
});
