/** Assembles pickles byte by byte for tests: an honest pickler could not write most of what they need. */
export type Code = Uint8Array | readonly Code[] | string | number;

/** Joins opcodes: numbers are bytes, strings are ASCII opcodes or text. */
export function assemble(...parts: readonly Code[]): Uint8Array {
  const bytes: number[] = [];
  const add = (part: Code): void => {
    if (typeof part === "number") bytes.push(part);
    else if (typeof part === "string") for (const byte of new TextEncoder().encode(part)) bytes.push(byte);
    else if (part instanceof Uint8Array) for (const byte of part) bytes.push(byte);
    else for (const inner of part) add(inner);
  };
  add(parts);
  return Uint8Array.from(bytes);
}

export function uint(value: number | bigint, width: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
  return bytes.subarray(0, width);
}

/** BINUNICODE */
export function text(value: string): Code {
  const bytes = new TextEncoder().encode(value);
  return ["X", uint(bytes.byteLength, 4), bytes];
}

/** BININT */
export const int = (value: number): Code => ["J", uint(value, 4)];

/** A LONG1 that holds any integer of 64 bits. */
export const long = (value: bigint): Code => [0x8a, 8, uint(value, 8)];

/** GLOBAL by a dotted path. */
export function global(path: string): Code {
  const dot = path.lastIndexOf(".");
  return `c${path.slice(0, dot)}\n${path.slice(dot + 1)}\n`;
}

export const tuple = (...items: readonly Code[]): Code => ["(", items, "t"];
export const list = (...items: readonly Code[]): Code => ["](", items, "e"];
export const dict = (...pairs: readonly (readonly [Code, Code])[]): Code => ["}(", pairs.flat(), "u"];

/** GLOBAL, arguments, REDUCE. */
export const call = (path: string, ...args: readonly Code[]): Code => [global(path), tuple(...args), "R"];

/** PROTO 2, the value, STOP. */
export const pickle = (...value: readonly Code[]): Uint8Array => assemble(0x80, 2, value, ".");

/** A storage's persistent id, as PyTorch 1.6 and later write it. */
export function storage(key: string, count: Code, type = "torch.FloatStorage"): Code {
  return [tuple(text("storage"), global(type), text(key), text("cpu"), count), "Q"];
}

/** What a tensor of a state dict looks like; every part can be a lie. */
export interface TensorCode {
  readonly storage?: Code;
  readonly offset?: Code;
  readonly shape?: readonly Code[];
  readonly strides?: readonly Code[];
  readonly hooks?: Code;
  readonly builder?: string;
}

export function tensor(part: TensorCode = {}): Code {
  return call(
    part.builder ?? "torch._utils._rebuild_tensor_v2",
    part.storage ?? storage("0", int(4)),
    part.offset ?? int(0),
    tuple(...(part.shape ?? [int(4)])),
    tuple(...(part.strides ?? [int(1)])),
    0x89,
    part.hooks ?? call("collections.OrderedDict"),
  );
}
