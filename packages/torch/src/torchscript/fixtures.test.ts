// Tests torchscript.ts on the traced programs of fixtures/torchscript, against PyTorch.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openZip } from "../archive/zip.ts";
import type { Program } from "../graph/ir.ts";
import { evaluate, symbolsOf } from "../graph/sym.ts";
import { type Fixture, openFixture, runFixture } from "../lower/fixture.kit.ts";
import { nodePlatform, openFileSource } from "../node.ts";
import { readProgramFile } from "../translate/program-file.ts";

/** The cases of the exported programs, traced (scripts/python/make_traced_fixtures.py): each with inputs and PyTorch's results. */
const folder = fileURLToPath(new URL("../../fixtures/torchscript", import.meta.url));

/** The sizes of a run's inputs, by symbol: each is one size, or a whole multiple of it. */
function sizesOf({ graph, inputs }: Program, run: Fixture["about"]["runs"][number]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const [i, { value }] of inputs.entries()) {
    const type = graph.values.get(value);
    for (const [axis, dim] of (type?.kind === "tensor" ? type.dims : []).entries()) {
      for (const name of symbolsOf(dim)) {
        const factor = evaluate(dim, new Map([[name, 1]]))!;
        sizes.set(name, run.inputs[i]!.shape[axis]! / factor);
      }
    }
  }
  return sizes;
}

/** The reader's own claim, whether or not the ops translate: every result has the dtype and the size that PyTorch gave it. */
function checkTypes({ source, about }: Fixture): void {
  const { program } = readProgramFile(source, nodePlatform).reading;
  if (program.unsupported!.length > 0) {
    for (const { op, reason } of program.unsupported!) assert.ok(op.length > 0 && reason.length > 0);
    return;
  }
  const [run] = about.runs;
  const sizes = sizesOf(program, run!);
  const found = program.outputs.map(({ arg }) => {
    const type = arg.kind === "value" ? program.graph.values.get(arg.name) : undefined;
    if (type?.kind !== "tensor") return { dtype: "number", shape: [] };
    // The fixtures hold bfloat16 as float32.
    const dtype = type.dtype === "bfloat16" ? "float32" : type.dtype;
    return { dtype, shape: type.dims.map((dim) => evaluate(dim, sizes)) };
  });
  const wanted = run!.outputs.map(({ dtype, shape }) => ({ dtype, shape: [...shape] }));
  assert.deepEqual(found, wanted);
}

/** How many of the fixtures run at least; the others are refused by name (training mode, writes that strides would have to explain). */
const PASSING = 202;
let passed = 0;
after(() => assert.ok(passed >= PASSING, `${passed} fixtures pass; ${PASSING} did before`));

for (const pack of readdirSync(folder)) {
  test(`${pack}, traced, has the types and values of PyTorch`, async (t) => {
    const source = openFileSource(join(folder, pack));
    t.after(() => source.close());
    const zip = openZip(source, nodePlatform);
    for (const name of zip.entries.keys()) {
      await t.test(name.replace(/\.pt$/, ""), async () => {
        const fixture = openFixture(zip.open(name));
        checkTypes(fixture);
        const outcome = await runFixture(fixture);
        if (outcome.status === "pass") passed += 1;
        const reason = outcome.status === "pass" ? "" : outcome.reason;
        assert.ok(outcome.status === "pass" || outcome.status === "refused", `${outcome.status}: ${reason}`);
      });
    }
  });
}
