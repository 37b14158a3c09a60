// Tests load-model.ts: the options for precision and weights.
import assert from "node:assert/strict";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { HostedModel } from "../model-host.ts";
import { PLAIN_LOAD } from "../plain-load.ts";
import type { LoadOptions } from "../runtime.ts";
import { loadModel } from "./load-model.ts";

const EXAMPLES = fileURLToPath(new URL("../../../../../examples/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "options-"));
after(() => rmSync(folder, { recursive: true }));

function load(file: string, options: Partial<LoadOptions> = {}): Promise<HostedModel> {
  const spec = { name: "m", version: "1", file, root: "/", options: { ...PLAIN_LOAD, ...options } };
  return loadModel({ spec, wantsDigest: true }, () => {});
}

/** A copy of an example in the test's folder; the same file for the same name. */
function copied(file: string, name: string): string {
  copyFileSync(join(EXAMPLES, file), join(folder, name));
  return join(folder, name);
}

const images = Float32Array.from({ length: 4 * 64 }, (_, i) => ((i * 7) % 17) / 16);

async function answers(model: HostedModel): Promise<Float32Array> {
  const input = { datatype: "FP32", shape: [4, 1, 8, 8], bytes: new Uint8Array(images.buffer) } as const;
  const { outputs } = await model.run([input]);
  return new Float32Array(Uint8Array.from(Buffer.concat(outputs[0]!.chunks)).buffer);
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  assert.equal(a.length, b.length);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** digits.safetensors after a change of its header or payload. */
function tuned(name: string, change: (header: Record<string, Entry>, payload: Uint8Array) => void): string {
  const bytes = readFileSync(join(EXAMPLES, "digits/digits.safetensors"));
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + length));
  const payload = bytes.subarray(8 + length);
  change(header, payload);
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(join(folder, name), Buffer.concat([size, text, payload]));
  return join(folder, name);
}

const program = copied("models/digits.pt2", "digits.pt2");

describe("precision", () => {
  for (const [file, precision, tolerance] of [
    ["models/digits.pt2", "int8", 0.05],
    ["models/digits.pt2", "int4", 0.15],
    ["models/digits.pt2", "float16", 0.002],
    ["digits/digits.pt", "int8", 0.05],
    ["digits/digits.onnx", "int8", 0.05],
    ["digits/digits.onnx", "int4", 0.15],
    ["digits/digits.onnx", "float16", 0.002],
  ] as const) {
    test(`${precision} at load of ${file}: close to float32, smaller, and said`, async () => {
      const path = join(EXAMPLES, file);
      const [float, small] = [await load(path), await load(path, { precision })];
      const error = largestDifference(await answers(small), await answers(float));
      assert.ok(error > 0 && error < tolerance, `the largest difference is ${error}`);
      assert.ok(small.description.weightBytes < 0.75 * float.description.weightBytes);
      assert.notEqual(small.description.digest, float.description.digest);
      assert.ok(small.description.runtimeReason.endsWith(`in precision ${precision}`));
      assert.match(small.description.warnings.join(), new RegExp(`precision ${precision}: \\d+ weights`));
    });
  }
});

describe("weights", () => {
  for (const name of ["digits.safetensors", "digits.pth"]) {
    test(`${name} beside the program gives the same answers, without the program's own`, async () => {
      const weightsFile = copied(`digits/${name}`, name);
      const [plain, swapped] = [await load(program), await load(program, { weightsFile })];
      assert.ok(largestDifference(await answers(plain), await answers(swapped)) < 1e-6);
      assert.ok(swapped.description.runtimeReason.endsWith(`with the weights of ${name}`));
      assert.notEqual(plain.description.digest, swapped.description.digest);
    });
  }

  test("other weights give other answers: zeros make all digits equally likely", async () => {
    const zeros = tuned("zeros.safetensors", (_, payload) => payload.fill(0));
    for (const precision of ["float32", "float16"] as const) {
      const got = await answers(await load(program, { weightsFile: zeros, precision }));
      assert.ok(largestDifference(got, new Float32Array(40).fill(0.1)) < 1e-6);
    }
  });

  test("TorchScript programs take them too, ONNX files do not", async () => {
    const script = copied("digits/digits.pt", "script.pt");
    const got = await answers(await load(script, { weightsFile: join(folder, "zeros.safetensors") }));
    assert.ok(largestDifference(got, new Float32Array(40).fill(0.1)) < 1e-6);
    const onnx = copied("digits/digits.onnx", "digits.onnx");
    await assert.rejects(load(onnx, { weightsFile: join(folder, "zeros.safetensors") }), {
      reason: "option_unsupported",
    });
  });

  test("from another folder they are copied", async () => {
    mkdirSync(join(folder, "1"));
    copyFileSync(program, join(folder, "1", "model.pt2"));
    const zeros = join(folder, "zeros.safetensors");
    const got = await answers(await load(join(folder, "1", "model.pt2"), { weightsFile: zeros }));
    assert.ok(largestDifference(got, new Float32Array(40).fill(0.1)) < 1e-6);
  });

  test("names under a wrapper's prefix are found", async () => {
    const wrapped = tuned("wrapped.safetensors", (header) => {
      for (const [name, entry] of Object.entries(header)) {
        if (name === "__metadata__") continue;
        header[`_orig_mod.module.${name}`] = entry;
        delete header[name];
      }
    });
    const [plain, swapped] = [await load(program), await load(program, { weightsFile: wrapped })];
    assert.ok(largestDifference(await answers(plain), await answers(swapped)) < 1e-6);
  });

  test("a sharded checkpoint is found through its index", async () => {
    const index = join(folder, "tuned.safetensors.index.json");
    const { tensors } = await shard();
    writeFileSync(
      index,
      JSON.stringify({ weight_map: Object.fromEntries(tensors.map((name) => [name, "shard.safetensors"])) }),
    );
    const swapped = await load(program, { weightsFile: index });
    assert.ok(largestDifference(await answers(await load(program)), await answers(swapped)) < 1e-6);
    rmSync(join(folder, "shard.safetensors"));
    mkdirSync(join(folder, "elsewhere"));
    copyFileSync(join(EXAMPLES, "digits/digits.safetensors"), join(folder, "elsewhere", "shard.safetensors"));
    symlinkSync(join(folder, "elsewhere", "shard.safetensors"), join(folder, "shard.safetensors"));
    await assert.rejects(load(program, { weightsFile: index }), { message: /link to another folder/ });
  });

  async function shard(): Promise<{ tensors: string[] }> {
    let tensors: string[] = [];
    tuned("shard.safetensors", (header) => {
      delete header["__metadata__"];
      tensors = Object.keys(header);
    });
    return { tensors };
  }

  test("every name that does not fit is listed", async () => {
    let names: string[] = [];
    const other = tuned("other.safetensors", (header) => {
      names = Object.keys(header).filter((name) => /weight|bias/.test(name));
      const [first, second, third] = names as [string, string, string];
      header["extra.weight"] = header[first]!;
      delete header[first];
      header[second] = { ...header[second]!, shape: [...header[second]!.shape, 1] };
      header[third] = { ...header[third]!, dtype: "I32" };
    });
    await assert.rejects(load(program, { weightsFile: other }), (error: Error) => {
      const [first, second, third] = names;
      for (const part of [
        `'${first}' is missing`,
        `'${second}' has the shape [`,
        `'${third}' is int32 instead of float32`,
        "'extra.weight' is unexpected",
      ]) {
        assert.ok(error.message.includes(part), `${part}: ${error.message}`);
      }
      return true;
    });
  });

  test("a file that is missing or holds a program is rejected in words", async () => {
    await assert.rejects(load(program, { weightsFile: join(folder, "none.pth") }), {
      message: /none\.pth is missing/,
    });
    await assert.rejects(load(program, { weightsFile: program }), { code: "failed_precondition" });
  });
});
