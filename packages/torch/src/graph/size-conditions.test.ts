import assert from "node:assert/strict";
import { test } from "node:test";
import { isSparse, isUnviewable } from "./size-conditions.ts";
import { type Dim, evaluate, keyOf, mul, symbol } from "./sym.ts";

const [a, b] = [symbol("a"), symbol("b")];

/** PyTorch's own rule (`computeStride`), for numbers. */
function isViewable(dims: readonly number[], strides: readonly number[], sizes: readonly number[]): boolean {
  let [axis, chunk, stride] = [sizes.length - 1, 1, strides.at(-1)!];
  for (let d = dims.length - 1; d >= 0; d--) {
    chunk *= dims[d]!;
    if (d > 0 && (dims[d - 1] === 1 || strides[d - 1] === chunk * stride)) continue;
    let covered = 1;
    while (axis >= 0 && (covered < chunk || sizes[axis] === 1)) covered *= sizes[axis--]!;
    if (covered !== chunk) return false;
    [chunk, stride] = [1, strides[d - 1] ?? 1];
  }
  return axis === -1;
}

test("a reshape is a view at the sizes where PyTorch finds strides for it", () => {
  const cases: readonly (readonly [dims: Dim[], strides: Dim[], sizes: Dim[]])[] = [
    [[b, a], [1, b], [mul(a, b)]],
    [
      [b, a],
      [1, b],
      [a, b],
    ],
    [[b, a, 1], [1, b, 1], [mul(a, b)]],
    [
      [a, 3, b],
      [mul(b, 4), b, 1],
      [a, mul(3, b)],
    ],
    [
      [a, 3, b],
      [mul(b, 4), b, 1],
      [mul(3, a), b],
    ],
    [
      [2, a, b],
      [0, b, 1],
      [mul(2, a), b],
    ],
    [[a, 2], [mul(2, b), 1], [mul(a, 2)]],
    [
      [3, a, b],
      [1, mul(3, b), 3],
      [3, mul(a, b)],
    ],
  ];
  for (const [dims, strides, sizes] of cases) {
    const condition = isUnviewable(dims, strides, sizes);
    for (const x of [1, 2, 3, 5]) {
      for (const y of [1, 2, 3, 5]) {
        const at = (dim: Dim): number =>
          evaluate(
            dim,
            new Map([
              ["a", x],
              ["b", y],
            ]),
          )!;
        const expected = !isViewable(dims.map(at), strides.map(at), sizes.map(at));
        assert.equal(Boolean(at(condition)), expected, `${keyOf(condition)} at ${x}, ${y}`);
      }
    }
  }
});

test("a turned matrix is dense where one of its sizes is 1", () => {
  assert.equal(keyOf(isSparse([b, a], [1, b])), "and(ne(a,1),ne(b,1))");
  assert.equal(isSparse([3, 4], [1, 3]), 1);
  assert.equal(isSparse([a, b], [b, 1]), 0);
});
