import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { GuardCondition, GuardOp, Signature, SizeGuard } from "../base/signature.ts";
import { GuardTable } from "./guard-table.ts";
import { compileInputCheck } from "./input-check.ts";

const size = (symbol: string): GuardCondition => ({ op: "size", symbol });
const node = (op: GuardOp, ...args: readonly GuardCondition[]): GuardCondition => ({ op, args });
const guard = (condition: GuardCondition): SizeGuard => ({
  text: "",
  requirement: "no",
  condition,
  fixes: [],
});

function holds(condition: GuardCondition, sizes: Readonly<Record<string, number>>): boolean {
  const names = Object.keys(sizes);
  const table = new GuardTable([guard(condition)], new Map(names.map((name, i) => [name, i])), []);
  table.sizes.set(Object.values(sizes));
  return table.firstFailed([]) === undefined;
}

test("arithmetic is Python's", () => {
  const a = size("a");
  const cases: [GuardCondition, number, number][] = [
    [node("floordiv", node("sub", 0, a), 4), 7, -2],
    [node("mod", node("sub", 0, a), 4), 7, 1],
    [node("mod", a, -4), 7, -1],
    [node("mod", a, 4), 8, 0],
    [node("truediv", a, 4), 7, 1.75],
    [node("round", node("truediv", a, 2)), 5, 2],
    [node("round", node("truediv", a, 2)), 7, 4],
    [node("trunc", node("sub", 0, node("truediv", a, 2))), 5, -2],
    [node("add", a, a, a, 1), 5, 16],
    [node("max", a, 3, 9), 5, 9],
    [node("min", a), 5, 5],
    [node("pow", 2, a), 40, 2 ** 40],
    [node("bitand", node("pow", 2, a), node("pow", 2, 40)), 40, 2 ** 40],
    [node("bitor", a, 2), 5, 7],
    [node("bitxor", a, 1), 5, 4],
    [node("log2", a), 8, 3],
    [node("sqrt", a), 9, 3],
    [node("abs", node("sub", 0, a)), 9, 9],
    [node("ceil", node("truediv", a, 2)), 5, 3],
    [node("floor", node("truediv", a, 2)), 5, 2],
    [node("ite", node("gt", a, 4), 10, 20), 5, 10],
  ];
  for (const [condition, given, want] of cases)
    assert.ok(holds(node("eq", condition, want), { a: given }), JSON.stringify(condition));
});

test("where Python would raise, the guard fails, even turned round", () => {
  const broken = node("mod", 6, size("a"));
  for (const condition of [
    node("eq", broken, 0),
    node("ne", broken, 0),
    node("not", node("eq", broken, 0)),
    node("or", node("eq", broken, 0), 1),
    node("eq", node("floordiv", 6, size("a")), node("floordiv", 6, size("a"))),
    node("ne", node("log2", size("a")), 1),
  ]) {
    assert.ok(!holds(condition, { a: 0 }), JSON.stringify(condition));
  }
  // Python does not look at what comes after.
  assert.ok(holds(node("or", node("eq", size("a"), 0), node("eq", broken, 0)), { a: 0 }));
  assert.ok(holds(node("ite", node("gt", size("a"), 0), node("eq", broken, 0), 1), { a: 0 }));
  assert.ok(!holds(node("and", node("gt", size("a"), 0), node("eq", broken, 0)), { a: 0 }));
});

test("guards that share parts are judged one by one, and the first that fails is told", () => {
  const half = node("floordiv", size("a"), 2);
  const guards = [
    node("gt", half, 1),
    node("eq", node("mul", half, 2), size("a")),
    node("lt", half, size("b")),
  ];
  fc.assert(
    fc.property(fc.nat(20), fc.nat(20), (a, b) => {
      const table = new GuardTable(
        guards.map(guard),
        new Map([
          ["a", 0],
          ["b", 1],
        ]),
        [],
      );
      table.sizes.set([a, b]);
      const failed = [Math.floor(a / 2) > 1, a % 2 === 0, Math.floor(a / 2) < b].indexOf(false);
      const found = table.firstFailed([]);
      assert.equal(found === undefined ? -1 : guards.indexOf(found.condition), failed);
    }),
  );
});

test("a request that a guard forbids is told why, with the sizes it has", () => {
  const dim = (symbol: string) => ({ symbol, min: 0, max: undefined });
  const signature: Signature = {
    inputs: [
      { name: "x", datatype: "UINT8", dims: [dim("s0"), dim("s1")] },
      { name: "n", datatype: "INT64", dims: [] },
    ],
    outputs: [],
    batching: { kind: "off", reason: "" },
    guards: [
      {
        text: "x.shape[1] % 2 == 0",
        requirement: 'dimension 1 of input "x" must be a multiple of 2',
        condition: node("eq", node("mod", size("s1"), 2), 0),
        fixes: ["s1"],
      },
      {
        text: "x.shape[0]*x.shape[1] > n",
        requirement: "the program was exported for sizes where x.shape[0]*x.shape[1] > n",
        condition: node("gt", node("mul", size("s0"), size("s1")), { op: "value", input: "n" }),
        fixes: [],
      },
    ],
  };
  const check = compileInputCheck(signature);
  const ask = (rows: number, columns: number, n: bigint): unknown =>
    check([
      { name: "n", datatype: "INT64", shape: [], bytes: new Uint8Array(BigInt64Array.of(n).buffer) },
      { name: "x", datatype: "UINT8", shape: [rows, columns], bytes: new Uint8Array(rows * columns) },
    ]);
  const refusal = (message: string) => ({ code: "invalid_argument", reason: "bad_input", message });
  ask(2, 4, 7n);
  assert.throws(() => ask(2, 5, 7n), refusal('dimension 1 of input "x" must be a multiple of 2; got 5'));
  assert.throws(
    () => ask(2, 4, 8n),
    refusal(
      "the program was exported for sizes where x.shape[0]*x.shape[1] > n; got x.shape[0] = 2, x.shape[1] = 4, n = 8",
    ),
  );
  ask(3, 4, 8n);
});
