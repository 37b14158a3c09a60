// Tests packages/torch/src/quantize/row-mixing.ts: which programs are known to let rows of one run change each other's answers.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { summarizeFile } from "@sconce/torch";
import { nodePlatform } from "@sconce/torch/node";
import { readFixturePack } from "./oracle/fixture-pack.ts";
import { memorySource } from "./oracle/memory-source.ts";

const folder = fileURLToPath(new URL("../../packages/torch/fixtures/quantized/", import.meta.url));

const EXPECTED: readonly (readonly [pack: string, samples: RegExp, reason: RegExp | undefined])[] = [
  ["pt2e", /static/, undefined],
  ["pt2e", /dynamic/, /^choose_qparams measures all rows of a run with one scale/],
  ["torchao", /^int8/, undefined],
  ["torchao", /int4 weights(?:, free size)?$/, /^MatMulNBits rounds a single row otherwise/],
  ["qparams", /per.token/, undefined],
  ["qparams", /^choose (?:normal|symmetric)/, /^choose_qparams(?:_symmetric)? measures/],
  ["affine", /^choose .* tensor/, /^choose_qparams_affine measures/],
  ["affine", /^(?:de)?quantize/, undefined],
];

describe("rows that share a run and are quantized", () => {
  for (const [pack, samples, reason] of EXPECTED) {
    test(`${pack}, ${samples.source}: ${reason === undefined ? "apart" : reason.source}`, () => {
      const chosen = readFixturePack(`${folder}${pack}.pack`).samples.filter(
        ({ id }) => samples.test(id) && !(reason === undefined && /int4/.test(id)),
      );
      assert.ok(chosen.length > 1, `${chosen.length} samples`);
      for (const { id, program, inputs } of chosen) {
        if (inputs !== undefined) continue;
        const { rowMixing } = summarizeFile(memorySource("m.pt2", program), nodePlatform);
        if (reason === undefined) assert.equal(rowMixing, undefined, id);
        else assert.match(rowMixing ?? "", reason, id);
      }
    });
  }
});
