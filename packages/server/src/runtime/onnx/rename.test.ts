import assert from "node:assert/strict";
import { test } from "node:test";
import { renamedPorts } from "./rename.ts";

const PORTS = {
  inputs: [{ name: "inputIds", aliases: ["inputids"] }, { name: "mask" }],
  outputs: [{ name: "logits" }, { name: "state" }],
};

const names = (rename: Record<string, string> | undefined, ports: typeof PORTS = PORTS): string[] => {
  const { inputs, outputs } = renamedPorts(ports, rename);
  return [...inputs, ...outputs].map(({ name, aliases = [] }) => [name, ...aliases].join(" "));
};

test("without rename everything keeps its name", () => {
  assert.deepEqual(names(undefined), ["inputIds inputids", "mask", "logits", "state"]);
});

test("old names become aliases, whichever of them the rename used", () => {
  for (const key of ["inputIds", "inputids"])
    assert.deepEqual(names({ [key]: "tokens" }), ["tokens inputIds inputids", "mask", "logits", "state"]);
});

test("two can swap their names, which are no aliases then", () => {
  assert.deepEqual(names({ inputIds: "mask", mask: "inputIds" }), [
    "mask inputids",
    "inputIds",
    "logits",
    "state",
  ]);
});

test("an output may be called as an input is, and an alias as a name", () => {
  assert.deepEqual(names({ logits: "mask", inputIds: "inputids" }), [
    "inputids inputIds",
    "mask",
    "mask logits",
    "state",
  ]);
});

test("an alias that another input has for a name means that one", () => {
  const ports = { inputs: [{ name: "X", aliases: ["x"] }, { name: "x" }] as never, outputs: [] };
  assert.deepEqual(names({ x: "z" }, ports as never), ["X", "z"]);
});

const REFUSED: readonly (readonly [string, Record<string, string>, RegExp])[] = [
  ["a name that is not there", { inputIdz: "a" }, /'inputIdz'.*did you mean 'inputIds'\?/],
  ["a name like none", { somethingElse: "a" }, /it has inputIds, mask, logits, state/],
  ["two inputs of one name", { inputIds: "mask" }, /two inputs called 'mask'/],
  ["two outputs of one name", { logits: "y", state: "y" }, /two outputs called 'y'/],
  ["two names for one", { inputIds: "a", inputids: "b" }, /gives two names to one of the inputs/],
  ["an empty name", { mask: "" }, /which nobody can call/],
  ["a line break", { mask: "a\nb" }, /which nobody can call/],
  ["a name of 257 characters", { mask: "a".repeat(257) }, /which nobody can call/],
];

for (const [what, rename, message] of REFUSED) {
  test(`refused: ${what}`, () => {
    assert.throws(() => names(rename), {
      code: "failed_precondition",
      reason: "option_unsupported",
      message,
    });
  });
}

test("a name of 256 characters is taken", () => {
  assert.equal(names({ mask: "a".repeat(256) })[1], `${"a".repeat(256)} mask`);
});
