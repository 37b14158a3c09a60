import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { parseArguments } from "./arguments.ts";
import type { Terminal } from "./command.ts";
import { convertCommand } from "./convert.ts";
import { openModel } from "./open-model.ts";
import { writeOnnx } from "./write-onnx.ts";

const DIGITS = fileURLToPath(new URL("../../../../examples/models/digits.pt2", import.meta.url));
const DIGITS_ONNX = fileURLToPath(new URL("../../../../examples/digits/digits.onnx", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "convert-"));
after(() => rmSync(folder, { recursive: true }));

async function convert(...argv: string[]): Promise<string> {
  let printed = "";
  const out = { write: (text: string) => (printed += text) };
  const terminal: Terminal = { stdout: out, stderr: out, env: {}, readStdin: async () => Buffer.alloc(0) };
  assert.equal(await convertCommand.run(parseArguments(argv, convertCommand.tables), terminal), 0);
  return printed;
}

const images = Float32Array.from({ length: 3 * 64 }, (_, i) => ((i * 7) % 17) / 16);

async function answers(path: string): Promise<number[]> {
  const session = await InferenceSession.create(path, { intraOpNumThreads: 1 });
  const { probabilities } = await session.run({ image: new Tensor("float32", images, [3, 1, 8, 8]) });
  await session.release();
  return [...(probabilities!.data as Float32Array)];
}

function assertClose(got: readonly number[], want: readonly number[]): void {
  assert.equal(got.length, want.length);
  for (const [i, value] of want.entries())
    assert.ok(Math.abs(got[i]! - value) < 1e-5, `${i}: ${got[i]}, ${value}`);
}

describe("sconce convert", () => {
  test("writes a .pt2 as an ONNX file of its own, equal to PyTorch's export", async () => {
    const path = join(folder, "own.onnx");
    assert.match(await convert(DIGITS, "-o", path), /^own\.onnx {2}\d+\.\d KiB\n$/);
    assertClose(await answers(path), await answers(DIGITS_ONNX));
    assert.deepEqual(readdirSync(folder), ["own.onnx"]);
  });

  test("weights past the limit go into a file beside it", async () => {
    const path = join(folder, "big model.onnx");
    const model = openModel(DIGITS);
    const { files } = writeOnnx(path, model.model, { read: model.read, maxInlineBytes: 20_000 });
    model.close();
    assert.deepEqual(
      files.map(({ name }) => name),
      ["big model.onnx", "big_model.onnx.data"],
    );
    assert.ok(statSync(path).size < 10_000);
    assertClose(await answers(path), await answers(DIGITS_ONNX));
    // What was written can be read and written again as one file.
    const again = join(folder, "again.onnx");
    await convert(path, "-o", again);
    rmSync(join(folder, "big_model.onnx.data"));
    assertClose(await answers(again), await answers(DIGITS_ONNX));
  });

  test("rejects what it cannot read or write, and leaves nothing behind", async () => {
    const text = join(folder, "text.pt2");
    writeFileSync(text, "no archive");
    const rejections: [string[], RegExp][] = [
      [[text, "-o", join(folder, "x.onnx")], /text\.pt2: the content is not a model format/],
      [[DIGITS], /-o OUT\.onnx is missing/],
      [[DIGITS, "-o", "x.pt2"], /ends with \.onnx/],
      [
        [DIGITS, "-o", join(folder, "nowhere", "x.onnx")],
        /nowhere\/x\.onnx cannot be written: there is no folder/,
      ],
      [[join(folder, "own.onnx"), "-o", join(folder, "own.onnx")], /names the file that is read/],
    ];
    for (const [argv, message] of rejections) await assert.rejects(convert(...argv), { message });
    assert.ok(!readdirSync(folder).some((name) => name.startsWith(".") || name === "x.onnx"));
  });
});
