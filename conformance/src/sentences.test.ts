// Tests the built server on a sentence model with its real weights.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { requirePython, runPython } from "./python.ts";
import { startServerProcess } from "./server-process.ts";

/** Batches of sentences of different lengths: what each row says is padded to its batch's longest. */
const BATCHES = [
  ["Hello."],
  ["A cat sits on the mat.", "The cat is lying on a rug in the hall."],
  [
    "How do I reset my password?",
    "I cannot log in any more.",
    "The weather in Lisbon is warm in late September, and the streets are full of people who sit outside until midnight.",
    "Interest rates rose by a quarter of a percentage point.",
  ],
  [
    "Where is the nearest station?",
    "Ein Satz auf Deutsch, mit Umlauten: Äpfel, Öl, Übung.",
    "x = 3 * (y + 1)  # code",
    "Yes",
    "The quick brown fox jumps over the lazy dog, again and again, until both of them are tired.",
  ],
] as const;

interface Answer {
  readonly input_ids: number[][];
  readonly attention_mask: number[][];
  readonly embeddings: number[][];
}

const script = (name: string): string => fileURLToPath(new URL(`../../scripts/${name}`, import.meta.url));

test("all-MiniLM-L6-v2 with its real weights embeds sentences as PyTorch does", async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "sconce-minilm-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const program = [script("python/embed_sentences.py"), join(folder, "minilm.pt2")];
  const answers = JSON.parse(await runPython(python, program, JSON.stringify(BATCHES))) as Answer[];
  const server = await startServerProcess([folder]);
  t.after(() => server.stop());
  let rows = 0;
  for (const { embeddings, ...inputs } of answers) {
    const answer = await fetch(`${server.url}/predict/minilm`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ input: inputs }),
    });
    assert.equal(answer.status, 200, await answer.clone().text());
    const { prediction } = (await answer.json()) as { prediction: number[][] };
    for (const [row, wanted] of embeddings.entries()) {
      const worst = Math.max(...wanted.map((value, i) => Math.abs(value - prediction[row]![i]!)));
      assert.ok(worst < 1e-5, `row ${row} differs by ${worst}`);
      rows += 1;
    }
  }
  assert.equal(rows, BATCHES.flat().length);
});
