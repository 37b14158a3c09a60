// Tests examples/speech on the built server: Silero VAD in WAV files, several at once, against PyTorch's chunks and its whole signal.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, cpSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { runPython } from "../python.ts";
import { startServerProcess } from "../server-process.ts";
import { requireRealModels, scriptPath } from "./packages.kit.ts";

interface Heard {
  readonly file: string;
  readonly chunks: readonly number[];
  readonly whole: readonly number[];
}

const EXAMPLE = fileURLToPath(new URL("../../../examples/speech", import.meta.url));
const FILES = 6;

test("the speech example finds what PyTorch finds, chunk by chunk and in the whole signal, several streams in one run", {
  timeout: 300_000,
}, async (t) => {
  const real = requireRealModels(t);
  if (real === undefined) return;
  const { python, packages, folder } = real;
  const jit = join(packages, "silero_vad", "data", "silero_vad.jit");
  cpSync(join(EXAMPLE, "models"), join(folder, "models"), { recursive: true });
  copyFileSync(jit, join(folder, "models", "vad", "model.pt"));
  const told = await runPython(python, [
    scriptPath("python/speech_probabilities.py"),
    jit,
    folder,
    String(FILES),
  ]);
  const heard = JSON.parse(told) as Heard[];
  // So that the streams meet in one run, however slow they are.
  const server = await startServerProcess([join(folder, "models"), "--max-queue-delay", "20ms"]);
  t.after(() => server.stop());
  const find = async (file: string, ...flags: string[]): Promise<string> => {
    const args = [join(EXAMPLE, "find-speech.js"), file, server.url.replace("http", "ws"), ...flags];
    return (await promisify(execFile)(process.execPath, args)).stdout;
  };
  const found = await Promise.all(heard.map(({ file }) => find(file, "--json")));
  for (const [i, { chunks, whole }] of heard.entries()) {
    const got = JSON.parse(found[i]!) as number[];
    assert.equal(got.length, chunks.length);
    assert.ok(
      got.some((probability) => probability > 0.5),
      "there is speech in it",
    );
    for (const expected of [chunks, whole]) {
      for (const [n, probability] of expected.entries())
        assert.ok(
          Math.abs(got[n]! - probability) <= 1e-4,
          `file ${i}, chunk ${n}: ${got[n]} instead of ${probability}`,
        );
    }
  }
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  const value = (name: string): number =>
    Number(new RegExp(`^${name}\\{.*\\} (\\S+)$`, "m").exec(metrics)?.[1]);
  assert.ok(value("sconce_batch_rows_sum") > value("sconce_batch_rows_count"), "streams shared runs");
  assert.equal(value("sconce_live_sequences"), 0);
  assert.match(await find(heard[0]!.file), /^speech from 0\.\d\d s to \d\.\d\d s\n/);
});
