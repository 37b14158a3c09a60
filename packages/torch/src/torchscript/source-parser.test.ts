import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ModelFileError } from "../errors.ts";
import { parseSource } from "./source-parser.ts";

const SOURCE = `class Net(Module):
  __parameters__ = ["weight", ]
  weight : Tensor
  scale : Final[float] = 0.5
  __annotations__["0"] = __torch__.torch.nn.modules.linear.Linear
  def forward(self: __torch__.Net,
    x: Tensor,
    mask: Optional[Tensor]=None) -> Tuple[Tensor, Tensor]:
    _0 = getattr(self, "0")
    a, b, = torch.chunk((_0).forward(x, ), 2, 1)
    if torch.__is__(mask, None):
      c = a
    else:
      mask0 = unchecked_cast(Tensor, mask)
      c = torch.mul(a, mask0)
    for i in range(3):
      c = torch.add(c, b, alpha=-1)
    _1 = annotate(List[Optional[Tensor]], [None, c])
    _2 = {"text": "it\\'s \\x41\\n", "n": -9223372036854775808}
    return (c, -inf if True else 1e-05)
def helper(x: int) -> int:
  return x
`;

test("a source of every construct parses", () => {
  const { classes, functions } = parseSource(SOURCE);
  const net = classes.get("Net")!;
  assert.deepEqual([...net.fields.keys()], ["__parameters__", "weight", "scale", "0"]);
  assert.equal(net.base, "Module");
  const forward = net.methods.get("forward")!;
  assert.deepEqual(
    forward.params.map(({ name, default: value }) => [name, value?.kind]),
    [
      ["self", undefined],
      ["x", undefined],
      ["mask", "constant"],
    ],
  );
  assert.deepEqual(
    forward.body.map(({ kind }) => kind),
    ["assign", "assign", "if", "for", "assign", "assign", "return"],
  );
  const [, chunk] = forward.body;
  assert.ok(chunk?.kind === "assign" && chunk.isUnpacking && chunk.targets.length === 2);
  const dict = forward.body[5];
  assert.ok(dict?.kind === "assign" && dict.value.kind === "dict");
  assert.deepEqual(dict.value.entries[0]![1], { kind: "constant", value: "it's A\n", isFloat: false });
  const lowest = dict.value.entries[1]![1];
  assert.ok(lowest.kind === "negate" && lowest.operand.kind === "constant");
  assert.equal(lowest.operand.value, 9223372036854775808n);
  assert.ok(functions.has("helper"));
});

for (const [what, source, kind] of [
  ["an open bracket", "x = (1", "corrupt"],
  ["a block that is missing", "def f() -> int", "corrupt"],
  ["a character that Python lacks", "x = 1 ? 2", "corrupt"],
  ["1,000 nested brackets", `def f() -> int:\n  return ${"(".repeat(1_000)}1${")".repeat(1_000)}\n`, "limit"],
  ["1,000 nested negations", `def f() -> int:\n  return ${"-".repeat(1_000)}1\n`, "limit"],
  [
    "101 nested blocks",
    Array.from({ length: 101 }, (_, i) => `${" ".repeat(i)}if True:`).join("\n"),
    "limit",
  ],
] as const) {
  test(`a source with ${what} is refused (${kind})`, () => {
    assert.throws(
      () =>
        parseSource(
          source.startsWith("def") ? source : `def f() -> int:\n  ${source.replaceAll("\n", "\n  ")}\n`,
        ),
      { kind },
    );
  });
}

test("any mutation of a source parses or gives a ModelFileError", () => {
  const change = fc.record({
    at: fc.nat(SOURCE.length - 1),
    text: fc.string({ maxLength: 3 }),
    drop: fc.nat(40),
  });
  const property = fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
    let text = SOURCE;
    for (const { at, text: put, drop } of changes) text = text.slice(0, at) + put + text.slice(at + drop);
    try {
      parseSource(text);
    } catch (error) {
      if (!(error instanceof ModelFileError)) throw error;
    }
  });
  fc.assert(property, { numRuns: 3_000, interruptAfterTimeLimit: 3_000 });
});
