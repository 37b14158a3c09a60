/** More letters that are wrong are no slip. */
const MAX_DISTANCE = 3;
/** Names to look through: words of a client's choice are compared with all of them. */
const MAX_WORDS = 200;

/** The known word that `word` was probably meant to be; undefined when none is near, or when there are too many to look through. */
export function nearestWord(word: string, known: Iterable<string>): string | undefined {
  // Two letters that changed places are a distance of two, in a short word as well.
  let least = (word.length < 3 ? 1 : word.length < 7 ? 2 : MAX_DISTANCE) + 1;
  let nearest: string | undefined;
  let count = 0;
  for (const other of known) {
    if (++count > MAX_WORDS) return undefined;
    const found = distanceBelow(word, other, least);
    if (found === undefined) continue;
    least = found;
    nearest = other;
  }
  return nearest;
}

/** The Levenshtein distance of two words when it is below `limit`. Looks no further from the diagonal than that. */
function distanceBelow(a: string, b: string, limit: number): number | undefined {
  if (Math.abs(a.length - b.length) >= limit) return undefined;
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = new Array<number>(b.length + 1).fill(limit);
    row[0] = i;
    const last = Math.min(b.length, i + limit);
    for (let j = Math.max(1, i - limit); j <= last; j++) {
      const swapped = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(previous[j]! + 1, row[j - 1]! + 1, swapped);
    }
    previous = row;
  }
  const distance = previous[b.length]!;
  return distance < limit ? distance : undefined;
}
