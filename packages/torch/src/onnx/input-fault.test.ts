import assert from "node:assert/strict";
import { test } from "node:test";
import { checkLabel, indexLabel, inputFault, needLabel, TELLS_NUMBER } from "./input-fault.ts";

const failed = (name: string, status: string): string =>
  `Non-zero status code returned while running Gather node. Name:'${name}' Status Message: ${status}`;
const bounds = (index: bigint | number): string =>
  `indices element out of data bounds, idx=${index} must be within the inclusive range [-10,9]`;

test("an index is told with the op, its module, the value that was sent and PyTorch's range", () => {
  const embedding = indexLabel({ op: "aten.embedding.default", place: "encoder.wte", wraps: false });
  const where = "an index of aten.embedding in encoder.wte";
  assert.equal(inputFault(failed(embedding, bounds(12))), `${where} is 12; it takes 0 to 9`);
  // -1 with its sign bit cleared, as the graph hands it to ONNX Runtime.
  assert.equal(
    inputFault(failed(`${embedding} #3`, bounds(2n ** 63n - 1n))),
    `${where} is -1; it takes 0 to 9`,
  );
  const gather = indexLabel({ op: "aten.gather.default", place: undefined, input: "which", wraps: false });
  assert.equal(
    inputFault(failed(gather, bounds(12))),
    'an index of aten.gather (input "which") is 12; it takes 0 to 9',
  );
  const subscript = indexLabel({ op: "aten.index.Tensor", place: undefined, wraps: true });
  assert.equal(
    inputFault(failed(subscript, bounds(-11))),
    "an index of aten.index is -11; it takes -10 to 9",
  );
});

test("of several indices beside each other the ranges of all are told", () => {
  const sizes = new Map([
    [0, 3],
    [1, 4],
  ]);
  const pair = indexLabel({ op: "aten.index.Tensor", place: undefined, wraps: true, sizes });
  assert.equal(
    inputFault(failed(`${pair} #2`, "invalid index found, index = 7")),
    "an index of aten.index is 7; dimension 0 takes -3 to 2, dimension 1 takes -4 to 3",
  );
});

test("a kernel that does not say the index still blames the inputs, and other failures are not about them", () => {
  const gather = indexLabel({ op: "aten.gather.default", place: undefined, wraps: false });
  const text = failed(gather, "GatherElements op: Out of range value in index tensor");
  assert.equal(inputFault(text), "an index of aten.gather is out of its range");
  assert.equal(inputFault(failed(gather, "out of memory")), undefined);
  assert.equal(inputFault(failed("", bounds(12))), undefined);
});

test("an op that is not defined for nothing says so", () => {
  assert.equal(
    inputFault(failed(needLabel("aten.amax.default", "something"), bounds(1))),
    "aten.amax is not defined for nothing, and one of its sizes is 0",
  );
});

test("a check of the program is told in its words, with the number that it found", () => {
  const atLeast = checkLabel(`dimension 0 of what aten.index gives must be at least 2${TELLS_NUMBER}`);
  const told = "dimension 0 of what aten.index gives must be at least 2; it is";
  for (const [index, number] of [
    [1n, 0n],
    [2n, 1n],
    [-3n, -1n],
    [2n ** 62n, 2n ** 62n - 1n],
  ] as const)
    assert.equal(inputFault(failed(`${atLeast} #2`, bounds(index))), `${told} ${number}`);
  const own = checkLabel("a check in the program failed: it's\nnegative");
  assert.equal(inputFault(failed(own, bounds(1))), "a check in the program failed: it s negative");
  assert.ok(checkLabel("x".repeat(1000)).length < 300, "a program's own text is cut");
});
