// Tests complex-table.ts: each lowering has a fixture.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import type { ByteSource } from "../byte-source.ts";
import { optimizeProgram } from "../graph/passes.ts";
import { nodePlatform } from "../node.ts";
import { readProgramFile } from "../translate/program-file.ts";
import { COMPLEX_LOWERINGS } from "./complex-table.ts";
import { isComplexArg } from "./core/op-node.ts";

const pack = fileURLToPath(new URL("../../fixtures/modules/spectral.pack", import.meta.url));

/** Aliases and spellings that PyTorch 2.13 does not write for these modules. The list may only shrink. */
const WITHOUT_FIXTURE: readonly string[] = [
  "aten._unsafe_view.default",
  "aten.add.Scalar",
  "aten.conj.default",
  "aten.div.Scalar",
  "aten.mul.Scalar",
  "aten.sub.Scalar",
  "aten.to.device",
  "aten.to.dtype_layout",
  "aten.to.other",
];

/** The programs of a pack (scripts/python/fixture_pack.py). */
function* programsOf(path: string): Generator<ByteSource> {
  const unpacked = gunzipSync(readFileSync(path));
  const start = 4 + unpacked.readUInt32LE(0);
  const header = JSON.parse(unpacked.toString("utf8", 4, start)) as {
    readonly samples: readonly { readonly id: string; readonly program: readonly [number, number] }[];
  };
  for (const { id, program } of header.samples) {
    const bytes = new Uint8Array(unpacked.subarray(start + program[0], start + program[0] + program[1]));
    yield {
      name: `${id}.pt2`,
      byteLength: bytes.length,
      read: (offset, length) => bytes.subarray(offset, offset + length),
    };
  }
}

test("every lowering for complex numbers is run with one by the modules that are compared with PyTorch", () => {
  const found = new Set<string>();
  for (const source of programsOf(pack)) {
    const { graph } = optimizeProgram(readProgramFile(source, nodePlatform).reading.program).program;
    const values = { typeOf: (name: string) => graph.values.get(name) };
    for (const { target, args, outputs } of graph.nodes) {
      const results = outputs.map((name) => ({ kind: "value", name: name ?? "" }) as const);
      if ([...args.values(), ...results].some((arg) => isComplexArg(arg, values))) found.add(target);
    }
  }
  const missing = Object.keys(COMPLEX_LOWERINGS).filter((target) => !found.has(target));
  assert.deepEqual(missing.sort(), [...WITHOUT_FIXTURE].sort());
});
