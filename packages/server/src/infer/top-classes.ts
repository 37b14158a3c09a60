/** Indices of the `count` largest values, largest first; equal ones in their order, NaN last. */
export function topIndices(
  values: ArrayLike<number | bigint>,
  start: number,
  end: number,
  count: number,
): number[] {
  const heap: number[] = [];
  // Whether a comes after b in the answer.
  const isAfter = (a: number, b: number): boolean => {
    const [left, right] = [values[a]!, values[b]!];
    if (left < right) return true;
    if (left > right) return false;
    const [isLeft, isRight] = [isNumber(left), isNumber(right)];
    return isLeft === isRight ? a > b : isRight;
  };
  for (let index = start; index < end; index++) {
    if (heap.length < count) {
      heap.push(index);
      rise(heap, isAfter);
    } else if (isAfter(heap[0]!, index)) {
      heap[0] = index;
      sink(heap, isAfter);
    }
  }
  return heap.sort((a, b) => (isAfter(a, b) ? 1 : -1));
}

function isNumber(value: number | bigint): boolean {
  return !Number.isNaN(Number(value));
}

type IsAfter = (a: number, b: number) => boolean;

/** Puts the last entry where it belongs: the entry that comes last of all is at the root. */
function rise(heap: number[], isAfter: IsAfter): void {
  let at = heap.length - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!isAfter(heap[at]!, heap[parent]!)) return;
    [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
    at = parent;
  }
}

function sink(heap: number[], isAfter: IsAfter): void {
  for (let at = 0; ; ) {
    let last = at;
    for (const child of [2 * at + 1, 2 * at + 2])
      if (child < heap.length && isAfter(heap[child]!, heap[last]!)) last = child;
    if (last === at) return;
    [heap[at], heap[last]] = [heap[last]!, heap[at]!];
    at = last;
  }
}
