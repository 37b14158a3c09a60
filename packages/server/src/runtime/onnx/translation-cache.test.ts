// Tests translation-cache.ts, kept-translation.ts and open-warm.ts: what a start finds of the starts before.
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { decodeModel, translate } from "@sconce/torch";
import { nodePlatform, openFileSource } from "@sconce/torch/node";
import type { RunInput } from "../../base/run.ts";
import type { HostedModel } from "../model-host.ts";
import type { LoadMessage } from "../model-messages.ts";
import { PLAIN_LOAD } from "../plain-load.ts";
import type { LoadOptions } from "../runtime.ts";
import { decodeKept, encodeKept, type KeptTranslation } from "./kept-translation.ts";
import { loadModel } from "./load-model.ts";

const DIGITS = fileURLToPath(new URL("../../../../../examples/models/digits.pt2", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "sconce-translations-"));
after(() => rmSync(root, { recursive: true }));
let places = 0;

interface Place {
  readonly file: string;
  readonly folder: string;
  load(options?: Partial<LoadOptions>, message?: Partial<LoadMessage>): Promise<HostedModel>;
}

/** A model of its own, and a folder for its translations. */
function place(): Place {
  const home = mkdtempSync(join(root, `${places++}-`));
  const file = join(home, "digits.pt2");
  const folder = join(home, "kept");
  copyFileSync(DIGITS, file);
  const translationCache = { folder, maxBytes: 2 ** 30, release: "1" };
  return {
    file,
    folder,
    load: (options = {}, message = {}) => {
      const spec = {
        name: "m",
        version: "1",
        file,
        root: dirname(file),
        options: { ...PLAIN_LOAD, translationCache, ...options },
      };
      return loadModel({ spec, wantsDigest: true, ...message }, () => {});
    },
  };
}

const isTranslated = ({ description }: HostedModel): boolean => "translate" in description.loadMs;

async function answers(model: HostedModel): Promise<readonly RunInput[]> {
  const bytes = new Uint8Array(Float32Array.from({ length: 192 }, (_, i) => (i % 17) / 16).buffer);
  const { outputs } = await model.run([{ datatype: "FP32", shape: [3, 1, 8, 8], bytes }]);
  return structuredClone(outputs);
}

function facts({ description }: HostedModel): object {
  const { loadMs, ...rest } = description;
  return rest;
}

describe("the translation cache", () => {
  test("a second start finds what the first has translated, and is the same model in every respect", async () => {
    const { load, folder } = place();
    const [first, second] = [await load(), await load()];
    assert.deepEqual([isTranslated(first), isTranslated(second)], [true, false]);
    assert.deepEqual(facts(second), facts(first));
    assert.deepEqual(await answers(second), await answers(first));
    assert.equal(readdirSync(folder).length, 1);
  });

  test("keeps nothing where it is not asked to", async () => {
    const { load, folder } = place();
    await load({ translationCache: undefined });
    assert.throws(() => readdirSync(folder), { code: "ENOENT" });
  });

  test("a file with other content under the same name is translated anew", async () => {
    const { load, file, folder } = place();
    const before = await answers(await load());
    spoilWeight(file);
    const model = await load();
    assert.equal(isTranslated(model), true);
    assert.notDeepEqual(await answers(model), before);
    const again = await load();
    assert.equal(isTranslated(again), false);
    assert.deepEqual(await answers(again), await answers(model));
    assert.equal(readdirSync(folder).length, 1);
  });

  test("whatever an entry holds, the answers are those of the file", async () => {
    const { load, folder } = place();
    const before = await answers(await load());
    const path = join(folder, readdirSync(folder)[0]!);
    const whole = readFileSync(path);
    for (const bytes of [
      Buffer.alloc(0),
      whole.subarray(0, 100),
      Buffer.from("x".repeat(5000)),
      spoilt(whole),
    ]) {
      writeFileSync(path, bytes);
      const model = await load();
      assert.equal(isTranslated(model), true);
      assert.deepEqual(await answers(model), before);
      assert.equal(isTranslated(await load()), false);
    }
  });

  test("another release's translation is not used, nor one with other options, nor one after a crash of the engine", async () => {
    const { load, folder } = place();
    await load();
    const translationCache = { folder, maxBytes: 2 ** 30, release: "2" };
    const others: readonly Partial<LoadOptions>[] = [
      { translationCache },
      { precision: "float16" },
      { rename: { image: "picture" } },
      { isOptimised: false },
    ];
    for (const options of others)
      assert.equal(isTranslated(await load(options)), true, JSON.stringify(options));
  });

  test("a worker that replaces another uses it where the server process knows the file's digest, and only then", async () => {
    const { load } = place();
    const { digest } = (await load()).description;
    const tries = [{ digest }, { digest: "0".repeat(64) }, { digest: undefined }];
    const models = [];
    for (const known of tries) models.push(await load({}, { wantsDigest: false, ...known }));
    assert.deepEqual(models.map(isTranslated), [false, true, true]);
  });
});

describe("a kept translation", () => {
  const kept: KeptTranslation = {
    digest: "d",
    program: {
      model: Buffer.from("any bytes"),
      holdsWeights: true,
      signature: {
        inputs: [{ name: "x", datatype: "INT64", dims: [{ symbol: "é", min: 0, max: undefined }, 3] }],
        outputs: [],
        batching: { kind: "off", reason: "none" },
      },
      rowMixing: "they meet",
      shownOutputs: [1],
      platform: "pytorch_pt2",
      parameterCount: 3,
      weightBytes: 12,
      warnings: ["beware"],
      sampleInputs: [
        { datatype: "UINT8", shape: [3], bytes: Uint8Array.of(1, 2, 3) },
        { datatype: "INT64", shape: [1], bytes: new Uint8Array(8).fill(7) },
      ],
    },
  };

  test("comes back as it was, with and without samples", () => {
    for (const sampleInputs of [kept.program.sampleInputs, undefined, []]) {
      const one = { ...kept, program: { ...kept.program, sampleInputs } };
      const read = decodeKept(Buffer.concat(encodeKept(one)));
      assert.deepEqual(JSON.parse(JSON.stringify(read)), JSON.parse(JSON.stringify(one)));
    }
  });

  test("anything shorter or longer is none", () => {
    const bytes = Buffer.concat(encodeKept(kept));
    for (let length = 0; length < bytes.length; length++)
      assert.equal(decodeKept(bytes.subarray(0, length)), undefined);
    assert.equal(decodeKept(Buffer.concat([bytes, Buffer.from("!")])), undefined);
  });
});

/** Changes the file's largest weight, and neither its size nor anything that the translation reads. */
function spoilWeight(file: string): void {
  const source = openFileSource(file);
  const { graph } = decodeModel({ ...source, ...sourceOf(translate(source, nodePlatform).model) });
  source.close();
  const places = graph.initializers.flatMap(({ data }) => (data instanceof Uint8Array ? [] : [data]));
  const largest = places.reduce((most, one) => (one.byteLength > most.byteLength ? one : most));
  const bytes = readFileSync(file);
  for (let at = 0; at < largest.byteLength; at += 4) bytes[largest.offset + at + 3]! ^= 0x80;
  writeFileSync(file, bytes);
}

function sourceOf(bytes: Uint8Array): {
  byteLength: number;
  read(offset: number, length: number): Uint8Array;
} {
  return { byteLength: bytes.byteLength, read: (offset, length) => bytes.slice(offset, offset + length) };
}

function spoilt(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length - 10]! ^= 1;
  return copy;
}
