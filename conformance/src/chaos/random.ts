/** A stream of pseudo-random numbers that a seed repeats exactly (mulberry32). */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** A whole number, both ends included. */
  integer(min: number, max: number): number;
  /** A pause between events that happen `perSecond` times a second, in milliseconds. */
  pauseMs(perSecond: number): number;
  pick<T>(from: readonly T[]): T;
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1));
  return {
    next,
    integer,
    pauseMs: (perSecond) => (-Math.log(1 - next()) * 1000) / perSecond,
    pick: (from) => from[integer(0, from.length - 1)]!,
  };
}
