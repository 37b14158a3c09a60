import { createHash, createHmac, type Hash, type Hmac, timingSafeEqual } from "node:crypto";
import type { ParameterValue } from "../../base/infer-request.ts";
import type { Signature, TensorSpec } from "../../base/signature.ts";
import { elementBytes, elementCount, type NamedTensor } from "../../base/tensor.ts";
import type { CachedResponse } from "./response-cache.ts";

/*
 * Bytes in a cache store, one of two kinds:
 *
 *   claim   "S" layout 2 0   token: 16 bytes
 *   value   "S" layout 1 0   head bytes: u32   seal: 32 bytes   head: JSON   tensors, one after the other
 *
 * The seal is over the key and all but itself: SHA-256, or HMAC-SHA-256 where servers share a secret. A value under another key is none.
 */
const MAGIC = 0x53;
const LAYOUT = 1;
const VALUE = 1;
const CLAIM = 2;
const KIND_BYTES = 4;
const TOKEN_BYTES = 16;
const SEAL_BYTES = 32;
const SEAL_AT = KIND_BYTES + 4;
const HEAD_AT = SEAL_AT + SEAL_BYTES;
const MAX_HEAD_BYTES = 65_536;
const MAX_PARAMETERS = 256;
const MAX_RANK = 64;
/** Typed arrays over the bytes begin where they may. */
const ALIGNMENT = 8;

interface Head {
  /** Datatype, shape and bytes of each output, in the order in which they were asked for. */
  readonly outputs: readonly (readonly [datatype: string, shape: readonly number[], bytes: number])[];
  readonly parameters: readonly (readonly [name: string, type: string, value: string | number | boolean])[];
}

/** What a value is bound to. */
export interface ValueContext {
  readonly key: string;
  /** Undefined: whoever may write to the store may forge values. */
  readonly secret: Buffer | undefined;
}

/** A mark that says who computes what belongs under a key. */
export function encodeClaim(token: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(KIND_BYTES + TOKEN_BYTES);
  bytes.set([MAGIC, LAYOUT, CLAIM, 0]);
  bytes.set(token.subarray(0, TOKEN_BYTES), KIND_BYTES);
  return bytes;
}

export function isClaim(bytes: Uint8Array): boolean {
  return bytes.length === KIND_BYTES + TOKEN_BYTES && isKind(bytes, CLAIM);
}

/** A response as bytes of its own. Undefined: it has more than `maxBytes`, or more than a head can say. */
export function encodeValue(
  { outputs, parameters }: CachedResponse,
  { key, secret }: ValueContext,
  maxBytes: number,
): Uint8Array | undefined {
  let size = 0;
  for (let i = 0; i < outputs.length; i++) size += outputs[i]!.bytes.length;
  if (size > maxBytes) return undefined;
  const head: Head = {
    outputs: outputs.map(({ datatype, shape, bytes }) => [datatype, shape, bytes.length]),
    parameters: [...parameters].map(([name, value]) => [
      name,
      typeof value,
      typeof value === "bigint" ? String(value) : value,
    ]),
  };
  const headBytes = Buffer.from(JSON.stringify(head), "utf8");
  size += HEAD_AT + headBytes.length;
  if (size > maxBytes || headBytes.length > MAX_HEAD_BYTES) return undefined;
  const value = Buffer.allocUnsafeSlow(size);
  value.set([MAGIC, LAYOUT, VALUE, 0]);
  value.writeUInt32LE(headBytes.length, KIND_BYTES);
  value.set(headBytes, HEAD_AT);
  let at = HEAD_AT + headBytes.length;
  for (let i = 0; i < outputs.length; i++) {
    const { bytes } = outputs[i]!;
    value.set(bytes, at);
    at += bytes.length;
  }
  value.set(sealOf(value, { key, secret }), SEAL_AT);
  return value;
}

/** Reads a value with the outputs that a request `wanted` (undefined: all of the signature). Undefined for anything that `encodeValue` did not make of these. */
export function decodeValue(
  bytes: Uint8Array,
  context: ValueContext,
  { signature, wanted }: { readonly signature: Signature; readonly wanted: readonly string[] | undefined },
): CachedResponse | undefined {
  if (bytes.length < HEAD_AT || !isKind(bytes, VALUE)) return undefined;
  const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const headBytes = value.readUInt32LE(KIND_BYTES);
  if (headBytes > MAX_HEAD_BYTES || HEAD_AT + headBytes > value.length) return undefined;
  const seal = value.subarray(SEAL_AT, HEAD_AT);
  if (!timingSafeEqual(seal, sealOf(value, context))) return undefined;
  const head = readHead(value.toString("utf8", HEAD_AT, HEAD_AT + headBytes));
  const specs = wantedSpecs(signature, wanted);
  if (head === undefined || specs === undefined || head.outputs.length !== specs.length) return undefined;
  const isFree = signature.areSizesClaimed === true;
  const outputs = readOutputs(head, value.subarray(HEAD_AT + headBytes), { specs, isFree });
  const parameters = readParameters(head);
  return outputs === undefined || parameters === undefined ? undefined : { outputs, parameters };
}

function isKind(bytes: Uint8Array, kind: number): boolean {
  return bytes[0] === MAGIC && bytes[1] === LAYOUT && bytes[2] === kind && bytes[3] === 0;
}

function sealOf(value: Buffer, { key, secret }: ValueContext): Buffer {
  const hash: Hash | Hmac = secret === undefined ? createHash("sha256") : createHmac("sha256", secret);
  hash.update(`${key.length}:${key}`);
  hash.update(value.subarray(0, SEAL_AT));
  hash.update(value.subarray(HEAD_AT));
  return hash.digest();
}

function readHead(text: string): Head | undefined {
  let head: Partial<Record<keyof Head, unknown>>;
  try {
    head = JSON.parse(text) as typeof head;
  } catch {
    return undefined;
  }
  if (typeof head !== "object" || head === null) return undefined;
  const { outputs, parameters } = head;
  if (!isTriples(outputs) || !isTriples(parameters) || parameters.length > MAX_PARAMETERS) return undefined;
  return { outputs, parameters } as unknown as Head; // what is in the triples their readers check
}

function isTriples(list: unknown): list is readonly (readonly unknown[])[] {
  return Array.isArray(list) && list.every((item) => Array.isArray(item) && item.length === 3);
}

function wantedSpecs(
  { outputs }: Signature,
  wanted: readonly string[] | undefined,
): readonly TensorSpec[] | undefined {
  if (wanted === undefined) return outputs;
  const specs = wanted.map((name) => outputs.find((spec) => spec.name === name));
  return specs.includes(undefined) ? undefined : (specs as readonly TensorSpec[]);
}

/** Undefined: what is there does not fit the model's outputs. All of them get one block of their own, each aligned. */
function readOutputs(
  { outputs }: Head,
  payload: Buffer,
  { specs, isFree }: { readonly specs: readonly TensorSpec[]; readonly isFree: boolean },
): readonly NamedTensor[] | undefined {
  let total = 0;
  let space = 0;
  for (let i = 0; i < specs.length; i++) {
    const [datatype, shape, size] = outputs[i]!;
    if (datatype !== specs[i]!.datatype || !fits(shape, specs[i]!, isFree)) return undefined;
    if (!Number.isSafeInteger(size) || size < 0 || total + size > payload.length) return undefined;
    if (!isFilled(payload.subarray(total, total + size), elementCount(shape), elementBytes(datatype)))
      return undefined;
    total += size;
    space += aligned(size);
  }
  if (total !== payload.length) return undefined;
  const block = new Uint8Array(space);
  let [from, to] = [0, 0];
  return specs.map(({ name, datatype }, i): NamedTensor => {
    const [, shape, size] = outputs[i]!;
    const bytes = block.subarray(to, to + size);
    bytes.set(payload.subarray(from, from + size));
    from += size;
    to += aligned(size);
    return { name, datatype, shape, bytes };
  });
}

function aligned(size: number): number {
  return Math.ceil(size / ALIGNMENT) * ALIGNMENT;
}

/** A worker's own results are held to no more. */
function fits(shape: readonly number[], { dims, isRankFree }: TensorSpec, isFree: boolean): boolean {
  if (!Array.isArray(shape) || shape.length > MAX_RANK) return false;
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) return false;
  return isFree || isRankFree === true || shape.length === dims.length;
}

/** Whether these are as many elements; `width` 0: each says its own length. */
function isFilled(bytes: Buffer, count: number, width: number): boolean {
  if (width > 0) return bytes.length === count * width;
  let at = 0;
  let found = 0;
  while (at + 4 <= bytes.length && found < count) {
    at += 4 + bytes.readUInt32LE(at);
    found += 1;
  }
  return at === bytes.length && found === count;
}

function readParameters({ parameters }: Head): ReadonlyMap<string, ParameterValue> | undefined {
  const read = new Map<string, ParameterValue>();
  for (const [name, type, value] of parameters) {
    if (typeof name !== "string") return undefined;
    if (type === "bigint" && typeof value === "string" && /^-?\d{1,20}$/.test(value)) {
      read.set(name, BigInt(value));
    } else if (typeof value === type && ["string", "number", "boolean"].includes(type)) {
      read.set(name, value);
    } else return undefined;
  }
  return read;
}
