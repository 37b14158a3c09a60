import type { OpenTokenizer } from "./open-tokenizer.ts";

/** Tokens as text. Those that are bytes are read as the Rust library reads them; what is no token of bytes stands for itself. */
export function joinTokens(tokens: readonly string[], { tokenizer, kind }: OpenTokenizer): string {
  if (kind !== "byte-level") return tokenizer.decoder?.(tokens) ?? tokens.join(" ");
  const alphabet = byteAlphabet();
  const pieces = tokens.map((token) => {
    const chars = [...token];
    if (!chars.every((char) => alphabet.has(char))) return Buffer.from(token);
    return Buffer.from(chars.map((char) => alphabet.get(char)!));
  });
  return Buffer.concat(pieces).toString();
}

let bytesOf: ReadonlyMap<string, number> | undefined;

/** The characters that stand for bytes in the vocabularies of GPT-2 and its heirs. */
export function byteAlphabet(): ReadonlyMap<string, number> {
  if (bytesOf !== undefined) return bytesOf;
  const alphabet = new Map<string, number>();
  let others = 256;
  for (let byte = 0; byte < 256; byte++) {
    const isPrintable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    alphabet.set(String.fromCodePoint(isPrintable ? byte : others++), byte);
  }
  bytesOf = alphabet;
  return alphabet;
}
