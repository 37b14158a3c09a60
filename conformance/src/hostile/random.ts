/** A source of chance that repeats itself: the same seed gives the same requests. */
export interface Random {
  /** 0 ≤ n < below, whole. */
  int(below: number): number;
  pick<T>(choices: readonly T[]): T;
  bytes(length: number): Buffer;
}

/** Mulberry32. */
export function random(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (below: number): number => Math.floor(next() * below);
  return {
    int,
    pick: (choices) => choices[int(choices.length)]!,
    bytes: (length) => Buffer.from(Array.from({ length }, () => int(256))),
  };
}

/** Texts that are not name of anything in the model, and like to go through filters. */
export const BAD_NAMES: readonly string[] = [
  "",
  "imagE",
  "image ",
  "images",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "../../etc/passwd",
  "image\u0000",
  "\ud83d\udca9",
  "İmage",
  "x".repeat(1025),
  "%s%n{{7*7}}",
  "<script>alert(1)</script>",
  "'; DROP TABLE models; --",
];
