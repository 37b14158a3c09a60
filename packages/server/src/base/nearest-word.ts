/** Further away, a word is not what somebody meant. */
const MAX_DISTANCE = 3;

/** The known word that a misspelt short one is most like; undefined when it is like none. */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  const found = known
    .map((other) => ({ other, away: distance(other, word) }))
    .reduce((best, next) => (next.away < best.away ? next : best), {
      other: "",
      away: Number.POSITIVE_INFINITY,
    });
  return found.away <= MAX_DISTANCE ? found.other : undefined;
}

/** Levenshtein distance of two short words. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(previous[j]! + 1, row[j - 1]! + 1, swap));
    }
    previous = row;
  }
  return previous[b.length]!;
}
