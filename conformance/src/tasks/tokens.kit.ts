import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openTokenizer, SideFiles, tokenOffsets } from "../internals/tokens.ts";

/** More, and other ones: SCONCE_TOKENS_COUNT=20000 SCONCE_TOKENS_SEED=2. */
export const COUNT: string = process.env["SCONCE_TOKENS_COUNT"] ?? "300";
export const SEED: string = process.env["SCONCE_TOKENS_SEED"] ?? "1";

interface Split {
  readonly texts: readonly string[];
  readonly split: Readonly<Record<string, readonly (readonly [ids: number[], offsets: number[][]])[]>>;
}

/** Tokens and their places in random texts, as `tokenize_texts.py` has written them to a folder by the Rust library that transformers uses. */
export async function checkTokens(folder: string): Promise<void> {
  const { texts, split } = JSON.parse(readFileSync(join(folder, "texts.json"), "utf8")) as Split;
  for (const [name, expected] of Object.entries(split)) {
    const open = await openTokenizer(new SideFiles(folder, [join(folder, name)]));
    for (const [i, text] of texts.entries()) {
      const tokens = open.tokenizer.tokenize(text, { add_special_tokens: false });
      const found = [tokens.map(open.idOf), tokenOffsets(text, tokens, open)];
      assert.deepEqual(found, expected[i], `${name}: ${JSON.stringify(text)}`);
    }
  }
}
