import { ModelFileError } from "../errors.ts";
import { decodeText } from "./pickle-cursor.ts";
import type { PickleMachine } from "./pickle-machine.ts";
import { integerFromBytes, integerFromText, stringFromText, unicodeFromText } from "./pickle-scalars.ts";
import { itemsOf, type PickleValue } from "./pickle-value.ts";

type Opcode = (machine: PickleMachine) => void;

const constant =
  (value: PickleValue): Opcode =>
  (m) =>
    m.push(value);

const text =
  (lengthBytes: number): Opcode =>
  (m) =>
    m.push(decodeText(m.cursor.bytes(m.cursor.uint(lengthBytes))));

const binary =
  (lengthBytes: number): Opcode =>
  (m) =>
    m.push(m.cursor.bytes(m.cursor.uint(lengthBytes)).slice());

const integer =
  (width: number): Opcode =>
  (m) =>
    m.push(m.cursor.uint(width));

const long =
  (lengthBytes: number): Opcode =>
  (m) => {
    const length = m.cursor.uint(lengthBytes);
    if (length > m.limits.maxIntegerBytes) throw tooLong(m);
    m.push(integerFromBytes(m.cursor.bytes(length)));
  };

const tuple =
  (length: number): Opcode =>
  (m) => {
    const items = new Array<PickleValue>(length);
    for (let index = length - 1; index >= 0; index -= 1) items[index] = m.pop();
    m.push({ kind: "tuple", items });
  };

const line = (m: PickleMachine): string => m.cursor.line(m.limits.maxLineBytes);

const global = (m: PickleMachine): void => m.push({ kind: "global", path: `${line(m)}.${line(m)}` });

function textInteger(m: PickleMachine): void {
  const digits = line(m);
  if (digits.length > m.limits.maxIntegerBytes * 2) throw tooLong(m);
  m.push(integerFromText(digits));
}

function textFloat(m: PickleMachine): void {
  const digits = line(m);
  const value = { nan: Number.NaN, inf: Infinity, "-inf": -Infinity }[digits] ?? Number(digits);
  if (digits.trim() === "" || (Number.isNaN(value) && digits !== "nan")) {
    throw new ModelFileError("corrupt", "the pickle has a float that is not a number");
  }
  m.push(value);
}

function stackGlobal(m: PickleMachine): void {
  const name = m.pop();
  const module = m.pop();
  if (typeof name !== "string" || typeof module !== "string") {
    throw new ModelFileError("corrupt", "the pickle names a global by what is not text");
  }
  m.push({ kind: "global", path: `${module}.${name}` });
}

function callWith(m: PickleMachine, args: PickleValue, kwargs?: PickleValue): void {
  const items = itemsOf(args);
  if (items === undefined)
    throw new ModelFileError("corrupt", "the pickle makes an object with bad arguments");
  m.call(m.pop(), items, kwargs);
}

function newObjectEx(m: PickleMachine): void {
  const kwargs = m.pop();
  callWith(m, m.pop(), kwargs);
}

function object(m: PickleMachine): void {
  const [callee, ...args] = m.popToMark();
  if (callee === undefined) throw new ModelFileError("corrupt", "the pickle makes an object of no class");
  m.call(callee, args);
}

function instance(m: PickleMachine): void {
  const path = `${line(m)}.${line(m)}`;
  m.call({ kind: "global", path }, m.popToMark());
}

function protocol(m: PickleMachine): void {
  const version = m.cursor.byte();
  if (version > 5)
    throw new ModelFileError("unsupported", `pickle protocol ${version} is not known; use 2 to 5`);
}

function dict(m: PickleMachine): void {
  const flat = m.popToMark();
  m.push({ kind: "dict", entries: [] });
  m.setItems(flat);
}

function setItem(m: PickleMachine): void {
  const value = m.pop();
  const key = m.pop();
  m.setItems([key, value]);
}

const memoText = (m: PickleMachine): number => Number(integerFromText(line(m)));

const foreign =
  (what: string): Opcode =>
  () => {
    throw new ModelFileError("unsupported", `the pickle uses ${what}, which model files do not need`);
  };

function tooLong(m: PickleMachine): ModelFileError {
  return new ModelFileError(
    "limit",
    `the pickle has an integer of more than ${m.limits.maxIntegerBytes} bytes`,
  );
}

/** STOP is not an entry: the loop ends on it. */
export const STOP = 0x2e;

/** Every opcode of protocols 0 to 5 (CPython's pickletools), by its code. A code that is not here is corrupt. */
export const OPCODES: ReadonlyMap<number, Opcode> = new Map<number, Opcode>([
  [0x28, (m) => m.mark()], // MARK
  [0x30, (m) => m.drop()], // POP
  [0x31, (m) => void m.popToMark()], // POP_MARK
  [0x32, (m) => m.push(m.top())], // DUP
  [0x46, textFloat], // FLOAT
  [0x47, (m) => m.push(m.cursor.double())], // BINFLOAT
  [0x49, textInteger], // INT
  [0x4a, (m) => m.push(m.cursor.int32())], // BININT
  [0x4b, integer(1)], // BININT1
  [0x4c, textInteger], // LONG
  [0x4d, integer(2)], // BININT2
  [0x4e, constant(null)], // NONE
  [0x50, (m) => m.push({ kind: "persistent", id: line(m) })], // PERSID
  [0x51, (m) => m.push({ kind: "persistent", id: m.pop() })], // BINPERSID
  [0x52, (m) => callWith(m, m.pop())], // REDUCE
  [0x53, (m) => m.push(stringFromText(line(m)))], // STRING
  [0x54, text(4)], // BINSTRING
  [0x55, text(1)], // SHORT_BINSTRING
  [0x56, (m) => m.push(unicodeFromText(line(m)))], // UNICODE
  [0x58, text(4)], // BINUNICODE
  [0x5d, (m) => m.push({ kind: "list", items: [] })], // EMPTY_LIST
  [0x61, (m) => m.append([m.pop()])], // APPEND
  [0x62, (m) => m.build(m.pop())], // BUILD
  [0x63, global], // GLOBAL
  [0x64, dict], // DICT
  [0x65, (m) => m.append(m.popToMark())], // APPENDS
  [0x67, (m) => m.recall(memoText(m))], // GET
  [0x68, (m) => m.recall(m.cursor.byte())], // BINGET
  [0x69, instance], // INST
  [0x6a, (m) => m.recall(m.cursor.uint(4))], // LONG_BINGET
  [0x6c, (m) => m.push({ kind: "list", items: m.popToMark() })], // LIST
  [0x6f, object], // OBJ
  [0x70, (m) => m.remember(memoText(m))], // PUT
  [0x71, (m) => m.remember(m.cursor.byte())], // BINPUT
  [0x72, (m) => m.remember(m.cursor.uint(4))], // LONG_BINPUT
  [0x73, setItem], // SETITEM
  [0x74, (m) => m.push({ kind: "tuple", items: m.popToMark() })], // TUPLE
  [0x75, (m) => m.setItems(m.popToMark())], // SETITEMS
  [0x7d, (m) => m.push({ kind: "dict", entries: [] })], // EMPTY_DICT
  [0x29, tuple(0)], // EMPTY_TUPLE
  [0x80, protocol], // PROTO
  [0x81, (m) => callWith(m, m.pop())], // NEWOBJ
  [0x82, foreign("the extension registry")], // EXT1
  [0x83, foreign("the extension registry")], // EXT2
  [0x84, foreign("the extension registry")], // EXT4
  [0x85, tuple(1)], // TUPLE1
  [0x86, tuple(2)], // TUPLE2
  [0x87, tuple(3)], // TUPLE3
  [0x88, constant(true)], // NEWTRUE
  [0x89, constant(false)], // NEWFALSE
  [0x8a, long(1)], // LONG1
  [0x8b, long(4)], // LONG4
  [0x42, binary(4)], // BINBYTES
  [0x43, binary(1)], // SHORT_BINBYTES
  [0x8c, text(1)], // SHORT_BINUNICODE
  [0x8d, text(8)], // BINUNICODE8
  [0x8e, binary(8)], // BINBYTES8
  [0x8f, (m) => m.push({ kind: "set", items: [] })], // EMPTY_SET
  [0x90, (m) => m.append(m.popToMark())], // ADDITEMS
  [0x91, (m) => m.push({ kind: "set", items: m.popToMark() })], // FROZENSET
  [0x92, newObjectEx], // NEWOBJ_EX
  [0x93, stackGlobal], // STACK_GLOBAL
  [0x94, (m) => m.memoize()], // MEMOIZE
  [0x95, (m) => void m.cursor.uint(8)], // FRAME: a hint for buffering, not needed
  [0x96, binary(8)], // BYTEARRAY8
  [0x97, foreign("out-of-band buffers")], // NEXT_BUFFER
  [0x98, foreign("out-of-band buffers")], // READONLY_BUFFER
]);
