import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { memorySource } from "../archive/byte-range.ts";
import { denseBytes } from "../archive/stored-tensor.ts";
import { ModelFileError } from "../errors.ts";
import { nodePlatform } from "../node.ts";
import { readCheckpoint } from "./checkpoint.ts";
import { assemble, type Code, call, dict, int, list, pickle, text, tuple, uint } from "./pickle-build.kit.ts";
import type { PickleLimits } from "./pickle-limits.ts";
import { entriesOf, entryOf, membersOf, type PickleValue } from "./pickle-value.ts";
import { unpickle, unpickleAt } from "./unpickle.ts";

const read = (...code: readonly Code[]): PickleValue => unpickle(pickle(...code));

for (const [opcode, code, value] of [
  ["NONE", "N", null],
  ["NEWTRUE", 0x88, true],
  ["NEWFALSE", 0x89, false],
  ["BININT", ["J", uint(-5, 4)], -5],
  ["BININT1", ["K", 200], 200],
  ["BININT2", ["M", uint(40_000, 2)], 40_000],
  ["INT", "I-12\n", -12],
  ["INT as a bool", "I01\n", true],
  ["LONG", "L123456789012345678901L\n", 123456789012345678901n],
  ["LONG1, empty", [0x8a, 0], 0],
  ["LONG1, negative", [0x8a, 2, 0x00, 0xff], -256],
  ["LONG4", [0x8b, uint(9, 4), uint(0, 8), 1], 2n ** 64n],
  ["FLOAT", "F-1.5e3\n", -1500],
  ["FLOAT, infinite", "F-inf\n", Number.NEGATIVE_INFINITY],
  ["BINFLOAT", ["G", 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], 1.5],
  ["STRING", "S'it\\'s'\n", "it's"],
  ["BINSTRING", ["T", uint(2, 4), "ab"], "ab"],
  ["SHORT_BINSTRING, Latin-1", ["U", 1, 0xfc], "ü"],
  ["UNICODE", "V\\u00fcx\n", "üx"],
  ["BINUNICODE", text("ü"), "ü"],
  ["SHORT_BINUNICODE", [0x8c, 2, "ab"], "ab"],
  ["BINUNICODE8", [0x8d, uint(2, 8), "ab"], "ab"],
  ["BINBYTES", ["B", uint(2, 4), 1, 2], Uint8Array.of(1, 2)],
  ["SHORT_BINBYTES", ["C", 1, 9], Uint8Array.of(9)],
  ["BINBYTES8", [0x8e, uint(1, 8), 9], Uint8Array.of(9)],
  ["BYTEARRAY8", [0x96, uint(1, 8), 9], Uint8Array.of(9)],
  ["EMPTY_TUPLE", ")", { kind: "tuple", items: [] }],
  ["TUPLE2", ["N", 0x88, 0x86], { kind: "tuple", items: [null, true] }],
  ["TUPLE3", ["K", 1, "K", 2, "K", 3, 0x87], { kind: "tuple", items: [1, 2, 3] }],
  ["TUPLE", "(NNt", { kind: "tuple", items: [null, null] }],
  ["LIST", "(Nl", { kind: "list", items: [null] }],
  ["APPEND", "]Na", { kind: "list", items: [null] }],
  ["APPENDS", "](NNe", { kind: "list", items: [null, null] }],
  ["DICT", ["(", text("a"), "Nd"], { kind: "dict", entries: [["a", null]] }],
  ["SETITEM", ["}", text("a"), "Ns"], { kind: "dict", entries: [["a", null]] }],
  ["SETITEMS", ["}(", text("a"), "Nu"], { kind: "dict", entries: [["a", null]] }],
  ["ADDITEMS", [0x8f, "(N", 0x90], { kind: "set", items: [null] }],
  ["FROZENSET", ["(N", 0x91], { kind: "set", items: [null] }],
  ["DUP and POP", ["K", 1, "20"], 1],
  ["POP of a mark", ["K", 1, "(0"], 1],
  ["POP_MARK", ["K", 1, "(NN1"], 1],
  ["BINPUT and BINGET", ["K", 7, "q", 3, "0h", 3], 7],
  ["LONG_BINPUT and LONG_BINGET", ["K", 7, "r", uint(70_000, 4), "0j", uint(70_000, 4)], 7],
  ["PUT and GET", ["K", 7, "p12\n0g12\n"], 7],
  ["MEMOIZE", ["K", 7, 0x94, "0h", 0], 7],
  ["FRAME", [0x95, uint(1, 8), "N"], null],
  ["PERSID", "Pkey\n", { kind: "persistent", id: "key" }],
  ["BINPERSID", ["K", 1, "Q"], { kind: "persistent", id: 1 }],
  ["GLOBAL", "cos\nsystem\n", { kind: "global", path: "os.system" }],
  ["STACK_GLOBAL", [text("a.b"), text("C.d"), 0x93], { kind: "global", path: "a.b.C.d" }],
] as const) {
  test(`${opcode} reads as data`, () => assert.deepEqual(read(code as Code), value));
}

test("a shared object stays one object", () => {
  const pair = read("]", "q", 0, "h", 0, 0x86) as { items: readonly PickleValue[] };
  assert.equal(pair.items[0], pair.items[1]);
});

test("dicts of every spelling answer their entries, the last of a repeated key counts", () => {
  const python2 = call("collections.OrderedDict", list(tuple(text("a"), int(1)), tuple(text("a"), int(2))));
  const python3 = [call("collections.OrderedDict"), "(", text("a"), int(1), text("a"), int(2), "u"];
  for (const code of [python2, python3, dict([text("a"), int(1)], [text("a"), int(2)])]) {
    assert.equal(entriesOf(read(code))?.length, 2);
    assert.equal(entryOf(read(code), "a"), 2);
  }
  assert.equal(entriesOf(read(call("evil.dict"))), undefined);
  assert.deepEqual(membersOf(read(call("__builtin__.set", list(int(1))))), [1]);
});

test("pickles follow each other in one source", () => {
  const source = memorySource("x", assemble(pickle("K", 1), pickle("K", 2)));
  const first = unpickleAt(source, 0);
  assert.deepEqual([first.value, unpickleAt(source, first.end).value], [1, 2]);
});

test("a text longer than the cursor's window is read whole", () => {
  const long = "x".repeat(200_000);
  assert.deepEqual(read(list(text(long), text("end"))), { kind: "list", items: [long, "end"] });
});

const limited: Record<keyof PickleLimits, [code: Code, enough: number]> = {
  maxBytes: ["N", 4],
  maxOps: ["N0N", 5],
  maxStack: ["NN0", 2],
  maxMemo: ["Nq\u0000q\u0001", 2],
  maxMarks: ["((tt", 2],
  maxIntegerBytes: [[0x8a, 3, 1, 2, 3], 3],
  maxLineBytes: ["Vabc\n", 3],
};
for (const [limit, [code, enough]] of Object.entries(limited)) {
  test(`${limit} holds at n and refuses at n−1`, () => {
    unpickle(pickle(code), { [limit]: enough });
    assert.throws(() => unpickle(pickle(code), { [limit]: enough - 1 }), { kind: "limit" });
  });
}

/** Real files, so that mutations reach deep: every opcode and every builder of theirs is hit. */
const SEEDS = ["state_dict.pth", "module_old.pth", "kinds.pth", "state_dict_protocol5.pth", "traced.pt"].map(
  (name) => readFileSync(new URL(`../../fixtures/checkpoint/${name}`, import.meta.url)) as Uint8Array,
);

test("any mutation of a real file gives tensors or a ModelFileError, never a crash or a hang", () => {
  const change = fc.record({ at: fc.nat(2 ** 20), value: fc.integer({ min: 0, max: 255 }) });
  const mutation = fc.tuple(fc.nat(SEEDS.length - 1), fc.array(change, { minLength: 1, maxLength: 6 }));
  const property = fc.property(mutation, ([seed, changes]) => {
    const mutated = SEEDS[seed]!.slice();
    // Checksums would stop most mutations of a zip at once: a checksum of 0 means that there is none.
    clearChecksums(mutated);
    for (const { at, value } of changes) mutated[at % Math.min(mutated.byteLength, 6_000)] = value;
    try {
      const { tensors } = readCheckpoint(memorySource("m.pth", mutated), nodePlatform);
      for (const [name, tensor] of tensors) denseBytes(name, tensor);
    } catch (error) {
      if (!(error instanceof ModelFileError)) throw error;
    }
  });
  fc.assert(property, { numRuns: 3_000, interruptAfterTimeLimit: 5_000 });
});

function clearChecksums(zip: Uint8Array): void {
  const view = new DataView(zip.buffer, zip.byteOffset, zip.byteLength);
  for (let at = 0; at + 46 < zip.byteLength; at += 1) {
    if (view.getUint32(at, true) === 0x02014b50) view.setUint32(at + 16, 0, true);
  }
}

test("any bytes at all give a value or a ModelFileError", () => {
  const property = fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    try {
      unpickle(bytes);
    } catch (error) {
      if (!(error instanceof ModelFileError)) throw error;
    }
  });
  fc.assert(property, { numRuns: 20_000, interruptAfterTimeLimit: 3_000 });
});
