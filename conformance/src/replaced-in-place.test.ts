// Tests the built server: a model file that is written over, which weights are mapped from.
import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startServerProcess } from "./server-process.ts";
import { until } from "./until.kit.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));
const CLIENTS = 3;
const ROUNDS = 4;
const BODY = JSON.stringify({
  inputs: [{ name: "image", datatype: "FP32", shape: [1, 1, 8, 8], data: new Array(64).fill(0.5) }],
});

/** The digits program with its matrices negated: of the same size, and with other answers. */
function negatedDigits(): Buffer {
  const program = readFileSync(join(EXAMPLES, "models/digits.pt2"));
  const weights = readFileSync(join(EXAMPLES, "digits/digits.safetensors"));
  const headBytes = Number(weights.readBigUInt64LE(0));
  const head = JSON.parse(weights.toString("utf8", 8, 8 + headBytes)) as Record<
    string,
    { readonly shape?: readonly number[]; readonly data_offsets: readonly [number, number] }
  >;
  for (const { shape, data_offsets } of Object.values(head)) {
    if (shape?.length !== 2) continue;
    const [from, to] = data_offsets.map((offset) => 8 + headBytes + offset) as [number, number];
    const at = program.indexOf(weights.subarray(from, to));
    for (let i = at; at >= 0 && i < at + to - from; i += 4) program[i + 3]! ^= 0x80;
  }
  return program;
}

/** Runs of more rows differ in their last digits. */
function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.every((value, i) => Math.abs(value - b[i]!) < 1e-5);
}

test("a file written over under load never gives a mixed answer, and its new content serves soon", async () => {
  const root = mkdtempSync(join(tmpdir(), "sconce-replaced-"));
  const served = join(root, "digits.pt2");
  const contents = [join(EXAMPLES, "models/digits.pt2"), join(root, "negated")] as const;
  writeFileSync(contents[1], negatedDigits());
  copyFileSync(contents[0], served);
  const server = await startServerProcess([
    ...[join(root, "digits.pt2"), "--model-control", "poll", "--poll-interval", "100ms"],
    ...["--memory", "shared", "--log-level", "error"],
  ]);
  const ask = async (): Promise<readonly number[] | undefined> => {
    const response = await fetch(`${server.url}/v2/models/digits/infer`, { method: "POST", body: BODY });
    const text = await response.text();
    assert.ok(response.status === 200 || response.status === 503, text);
    if (response.status === 503) return undefined;
    return (JSON.parse(text) as { readonly outputs: readonly { readonly data: readonly number[] }[] })
      .outputs[0]!.data;
  };
  try {
    const right: (readonly number[])[] = [];
    for (const content of contents) {
      copyFileSync(content, served);
      await until("it answers anew", async () => {
        const answer = await ask();
        return (
          answer !== undefined && !right.some((other) => isSame(answer, other)) && right.push(answer) > 0
        );
      });
    }
    let running = true;
    const mixed: (readonly number[])[] = [];
    const clients = Array.from({ length: CLIENTS }, async () => {
      while (running) {
        const answer = await ask();
        if (answer !== undefined && !right.some((other) => isSame(answer, other))) mixed.push(answer);
      }
    });
    for (let round = 0; round < ROUNDS; round++) {
      copyFileSync(contents[round % 2]!, served);
      await until("the new content serves", async () => {
        const answer = await ask();
        return answer !== undefined && isSame(answer, right[round % 2]!);
      });
    }
    running = false;
    await Promise.all(clients);
    assert.deepEqual(mixed, []);
  } finally {
    await server.stop();
    rmSync(root, { recursive: true, force: true });
  }
});
