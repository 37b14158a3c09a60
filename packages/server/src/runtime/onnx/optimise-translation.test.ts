import assert from "node:assert/strict";
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { RunInput } from "../../base/run.ts";
import type { HostedModel } from "../model-host.ts";
import { PLAIN_LOAD } from "../plain-load.ts";
import type { LoadOptions } from "../runtime.ts";
import { cpuIdentity } from "./cpu-identity.ts";
import type { KeptTranslation } from "./kept-translation.ts";
import { loadModel } from "./load-model.ts";
import { optimiseTranslation } from "./optimise-translation.ts";
import { type FileTranslation, type KeptOptimised, keptTranslationOf } from "./translation-cache.ts";

const DIGITS = fileURLToPath(new URL("../../../../../examples/models/digits.pt2", import.meta.url));
const ALWAYS = Number.POSITIVE_INFINITY;
const NEVER = 0;
const root = mkdtempSync(join(tmpdir(), "sconce-optimised-"));
after(() => rmSync(root, { recursive: true }));
let places = 0;

/** A model that was loaded once, so that its translation is kept. */
async function place() {
  const home = mkdtempSync(join(root, `${places++}-`));
  const file = join(home, "digits.pt2");
  const folder = join(home, "kept");
  copyFileSync(DIGITS, file);
  const translationCache = { folder, maxBytes: 2 ** 30, release: "1" };
  const options: LoadOptions = { ...PLAIN_LOAD, translationCache };
  const spec = { name: "m", version: "1", file, root: dirname(file), options };
  const load = (): Promise<HostedModel> => loadModel({ spec, wantsDigest: true }, () => {});
  const first = await load();
  return {
    file,
    folder,
    load,
    expected: await answers(first),
    first,
    optimise: (share: number) => optimiseTranslation({ spec }, share),
    look: (): KeptOptimised => keptTranslationOf(file, 1000, options)!.findOptimised(),
    translation: (): FileTranslation => keptTranslationOf(file, 1000, options)!,
    kept: (): KeptTranslation => keptTranslationOf(file, 1000, options)!.find()!,
    weights: (): string => join(folder, readdirSync(folder).find((name) => name.endsWith(".data"))!),
  };
}

async function answers(model: HostedModel): Promise<readonly RunInput[]> {
  const bytes = new Uint8Array(Float32Array.from({ length: 192 }, (_, i) => (i % 17) / 16).buffer);
  const { outputs } = await model.run([{ datatype: "FP32", shape: [3, 1, 8, 8], bytes }]);
  return structuredClone(outputs);
}

describe("a kept optimised graph", {
  skip: cpuIdentity() === undefined && "the processor is not known",
}, () => {
  test("opens as the same model, with the same bits in its answers", async () => {
    const { load, optimise, look, folder, first, expected } = await place();
    assert.equal(look().kind, "untried");
    await optimise(ALWAYS);
    assert.equal(look().kind, "kept");
    const model = await load();
    assert.deepEqual(await answers(model), expected);
    assert.deepEqual({ ...model.description, loadMs: {} }, { ...first.description, loadMs: {} });
    assert.deepEqual(model.files, first.files);
    // Two entries and the weights of one; nothing that was made on the way.
    assert.deepEqual(readdirSync(folder).length, 3);
  });

  test("is not kept where it gains too little, and that is not tried again", async () => {
    const { load, optimise, look, folder, expected } = await place();
    await optimise(NEVER);
    const { digest } = (await load()).description;
    assert.deepEqual(look(), { kind: "useless", digest });
    assert.deepEqual(await answers(await load()), expected);
    assert.equal(readdirSync(folder).length, 2);
  });

  test("is tried again after a try that was cut short, but not for ever", async () => {
    const { look, optimise, translation, kept } = await place();
    for (const expected of ["untried", "untried", "useless"]) {
      translation().tryOptimised(kept());
      assert.equal(look().kind, expected);
    }
    await optimise(ALWAYS);
    assert.equal(look().kind, "kept");
  });

  test("weights that changed on the disk, or are gone, are not used", async () => {
    const spoil: ((path: string) => void)[] = [
      (path) => {
        const bytes = readFileSync(path);
        bytes[100]! ^= 1;
        writeFileSync(path, bytes);
      },
      (path) => writeFileSync(path, readFileSync(path).subarray(0, -1)),
      (path) => rmSync(path),
    ];
    for (const change of spoil) {
      const { load, optimise, look, weights, expected } = await place();
      await optimise(ALWAYS);
      change(weights());
      assert.deepEqual(await answers(await load()), expected);
      assert.equal(look().kind, "untried");
    }
  });

  test("weights that were copied are used when their digest is the same", async () => {
    const { load, optimise, look, weights, expected } = await place();
    await optimise(ALWAYS);
    copyFileSync(weights(), `${weights()}.copy`);
    renameSync(`${weights()}.copy`, weights());
    assert.equal(look().kind, "kept");
    assert.deepEqual(await answers(await load()), expected);
  });

  test("weights that change while they are served give no result", async () => {
    const { load, optimise, weights } = await place();
    await optimise(ALWAYS);
    const model = await load();
    writeFileSync(weights(), readFileSync(weights()));
    await assert.rejects(answers(model), { reason: "model_file_changed" });
  });

  test("is not used for a file with other content", async () => {
    const { load, optimise, file, expected } = await place();
    await optimise(ALWAYS);
    const bytes = readFileSync(file);
    // The comment at the end of the archive: another digest, the same program.
    bytes.writeUInt16LE(1, bytes.length - 2);
    writeFileSync(file, Buffer.concat([bytes, Buffer.from("!")]));
    const model = await load();
    assert.ok("translate" in model.description.loadMs);
    assert.deepEqual(await answers(model), expected);
  });
});
