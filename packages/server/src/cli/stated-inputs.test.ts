import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { parseArguments } from "./arguments.ts";
import type { Command, Terminal } from "./command.ts";
import { convertCommand } from "./convert.ts";
import { inspectCommand } from "./inspect/inspect.ts";
import { quantizeCommand } from "./quantize.ts";

const at = (path: string): string => fileURLToPath(new URL(`../../../../${path}`, import.meta.url));
const DIGITS = at("examples/models/digits.pt2");
const DIGITS_ONNX = at("examples/digits/digits.onnx");
/** A scripted program, and what PyTorch answers to three rows (scripts/python/rewrite_fixtures.py). */
const SCRIPTED = at("packages/torch/fixtures/rewrite/scripted.pt");
const folder = mkdtempSync(join(tmpdir(), "stated-inputs-"));
after(() => rmSync(folder, { recursive: true }));

async function run(command: Command, argv: readonly string[]): Promise<string> {
  let printed = "";
  const out = { write: (text: string) => (printed += text) };
  const terminal: Terminal = {
    stdout: out,
    stderr: out,
    env: process.env,
    readStdin: async () => Buffer.alloc(0),
  };
  assert.equal(await command.run(parseArguments(argv, command.tables), terminal), 0);
  return printed;
}

describe("--inputs of a scripted program", () => {
  const output = join(folder, "scripted.onnx");
  const yaml = join(folder, "model.yaml");
  writeFileSync(yaml, "max_batch_size: 4\ninputs:\n  x: float32[batch, 32]\n");
  const bare = join(folder, "inputs.json");
  writeFileSync(bare, JSON.stringify({ x: "float32[batch, 32]" }));

  async function checkAnswers(): Promise<void> {
    const path = SCRIPTED.replace(/pt$/, "json");
    const { x, y } = JSON.parse(readFileSync(path, "utf8")) as Record<"x" | "y", number[]>;
    const session = await InferenceSession.create(output, { intraOpNumThreads: 1 });
    const feeds = { x: new Tensor("float32", Float32Array.from(x), [3, 32]) };
    const results = await session.run(feeds);
    await session.release();
    const got = results[session.outputNames[0]!]!.data as Float32Array;
    assert.equal(got.length, y.length);
    for (const [i, value] of y.entries()) assert.ok(Math.abs(got[i]! - value) < 1e-5, `${got[i]}, ${value}`);
  }

  for (const [name, inputs] of [
    ["YAML", 'x: "float32[batch, 32]"'],
    ["JSON", '{"x": "float32[batch, 32]"}'],
    ["names and texts", "x = float32[batch, 32]"],
    ["a model.yaml", yaml],
    ["a file that holds nothing else", bare],
  ] as const) {
    test(`${name}: it converts, and answers as PyTorch`, async () => {
      await run(convertCommand, [SCRIPTED, "-o", output, "--inputs", inputs]);
      await checkAnswers();
    });
  }

  test("the rejection without them can be pasted, for every command that reads a program", async () => {
    for (const [command, argv] of [
      [convertCommand, [SCRIPTED, "-o", output]],
      [inspectCommand, [SCRIPTED]],
      [quantizeCommand, [SCRIPTED, "--int8-weights", "-o", output]],
    ] as const) {
      const error = await run(command, argv).then(
        () => assert.fail("rejected"),
        (thrown: Error) => thrown,
      );
      const asked = /--inputs '(.*)'$/.exec(error.message)?.[1];
      assert.equal(asked, '{x: "float32[batch, 3, 224, 224]"}', error.message);
      assert.match(error.message, /its input 'x' looks like.*'scale' may be stated too/);
      assert.ok((await run(command, [...argv, "--inputs", asked.replace("3, 224, 224", "32")])).length > 0);
    }
  });

  test("inspect shows what they make of the program", async () => {
    const text = await run(inspectCommand, [SCRIPTED, "--inputs", "x=float32[batch, 32]; scale=float32[4]"]);
    assert.match(text, /input +x: float32 \[batch, 32\]\ninput +scale: float32 \[4\]/);
    assert.match(text, /runtime +onnx/);
  });

  test("what is wrong with them is said", async () => {
    for (const [file, inputs, message] of [
      [SCRIPTED, "z=float32[1, 32]", /'inputs' names 'z', but the arguments of 'forward' are 'x', 'scale'/],
      [SCRIPTED, "x=float[1]", /'inputs' says "float\[1\]" of 'x': expected a dtype and sizes/],
      [
        SCRIPTED,
        "nowhere.yaml",
        /--inputs: expected names and texts, such as x: "float32\[batch, 4\]", got "nowhere.yaml"/,
      ],
      [SCRIPTED, "{x: float32[batch, 32]}", /--inputs: expected names and texts/],
      [
        DIGITS,
        "image=float32[1, 1, 8, 8]",
        /digits\.pt2: an exported program says itself what its inputs are/,
      ],
      [DIGITS_ONNX, "image=float32[1, 1, 8, 8]", /digits\.onnx: .*leave 'inputs' out/],
    ] as const) {
      await assert.rejects(run(convertCommand, [file, "-o", output, "--inputs", inputs]), { message });
      await assert.rejects(run(inspectCommand, [file, "--inputs", inputs]), { message });
    }
  });
});
