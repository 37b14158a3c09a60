/** The permutation that puts two dimensions last, in this order. */
export function lastTwo(rank: number, first: number, second: number): number[] {
  const others = Array.from({ length: rank }, (_, axis) => axis).filter((a) => a !== first && a !== second);
  return [...others, first, second];
}

/** The permutation that takes `perm` back. */
export function invert(perm: readonly number[]): number[] {
  const inverse: number[] = [];
  for (const [to, from] of perm.entries()) inverse[from] = to;
  return inverse;
}
