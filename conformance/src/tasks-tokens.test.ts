// Tests tokens and their places in random texts against the Rust library that transformers uses.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openTokenizer, SideFiles, tokenOffsets } from "./internals/tokens.ts";
import { requirePython, runPython } from "./python.ts";

/** More, and other ones: SCONCE_TOKENS_COUNT=20000 SCONCE_TOKENS_SEED=2. */
const COUNT = process.env["SCONCE_TOKENS_COUNT"] ?? "300";
const SEED = process.env["SCONCE_TOKENS_SEED"] ?? "1";

interface Split {
  readonly texts: readonly string[];
  readonly split: Readonly<Record<string, readonly (readonly [ids: number[], offsets: number[][]])[]>>;
}

test("random texts become the tokens that transformers makes of them, at the same places", async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "sconce-tokens-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const script = fileURLToPath(new URL("../../scripts/python/tokenize_texts.py", import.meta.url));
  await runPython(python, [script, folder, SEED, COUNT]);
  const { texts, split } = JSON.parse(readFileSync(join(folder, "texts.json"), "utf8")) as Split;
  for (const [name, expected] of Object.entries(split)) {
    const open = await openTokenizer(new SideFiles(folder, [join(folder, name)]));
    for (const [i, text] of texts.entries()) {
      const tokens = open.tokenizer.tokenize(text, { add_special_tokens: false });
      const found = [tokens.map(open.idOf), tokenOffsets(text, tokens, open)];
      assert.deepEqual(found, expected[i], `${name}: ${JSON.stringify(text)}`);
    }
  }
});
