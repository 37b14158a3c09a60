import { ServeError } from "../serve-error.ts";
import type { CodecLimits } from "./codec-limits.ts";
import { FIXED64, LENGTH, VARINT, type WireReader } from "./wire-reader.ts";
import { fieldSize, textSize, varintSize, type WireWriter } from "./wire-writer.ts";

/** A parameter's value; whole numbers past 2⁵³ are bigints. */
export type InferParameterValue = boolean | number | bigint | string;

const INT64_MAX = 2n ** 63n - 1n;

/**
 * Reads one `map<string, InferParameter>` entry into `into`. `sconce.v1.Value` has the same fields. Integers that a number holds
 * exactly become numbers, others bigints. Throws `invalid_argument`.
 */
export function readParameter(
  reader: WireReader,
  end: number,
  into: Map<string, InferParameterValue>,
  limits: CodecLimits,
): void {
  const stop = reader.enter(end);
  let key = "";
  let value: InferParameterValue | undefined;
  for (let tag = reader.tag(stop); tag !== 0; tag = reader.tag(stop)) {
    if (tag === ((1 << 3) | LENGTH)) key = reader.text(stop, limits.maxTextBytes, "a parameter's name");
    else if (tag === ((2 << 3) | LENGTH)) value = readValue(reader, reader.enter(stop), value, limits);
    else reader.skip(tag, stop);
  }
  if (value === undefined) {
    throw new ServeError("invalid_argument", `parameter "${key}" has no value`, { reason: "bad_parameter" });
  }
  into.set(key, value);
  if (into.size > limits.maxParameters) {
    throw new ServeError("invalid_argument", `there are more than ${limits.maxParameters} parameters`, {
      reason: "limit_exceeded",
    });
  }
}

function readValue(
  reader: WireReader,
  end: number,
  before: InferParameterValue | undefined,
  limits: CodecLimits,
): InferParameterValue | undefined {
  let value = before;
  for (let tag = reader.tag(end); tag !== 0; tag = reader.tag(end)) {
    switch (tag) {
      case (1 << 3) | VARINT:
        reader.varint(end);
        value = reader.lo !== 0 || reader.hi !== 0;
        break;
      case (2 << 3) | VARINT:
        reader.varint(end);
        value = reader.int64();
        break;
      case (3 << 3) | LENGTH:
        value = reader.text(end, limits.maxTextBytes, "a parameter's value");
        break;
      case (4 << 3) | FIXED64:
        value = reader.float64(end);
        break;
      case (5 << 3) | VARINT:
        reader.varint(end);
        value = reader.uint64();
        break;
      default:
        reader.skip(tag, end);
    }
  }
  return value;
}

/** Bytes of all entries of a parameter map, tags included. */
export function parametersSize(parameters: ReadonlyMap<string, InferParameterValue>): number {
  let size = 0;
  for (const [key, value] of parameters) size += fieldSize(entrySize(key, value));
  return size;
}

function entrySize(key: string, value: InferParameterValue): number {
  const keyBytes = textSize(key);
  return (keyBytes === 0 ? 0 : fieldSize(keyBytes)) + fieldSize(valueSize(value));
}

function valueSize(value: InferParameterValue): number {
  switch (typeof value) {
    case "boolean":
      return 2;
    case "string":
      return fieldSize(textSize(value));
    case "bigint":
      return 1 + bigVarintSize(value);
    case "number":
      if (!Number.isSafeInteger(value)) return 9;
      return 1 + (value < 0 ? 10 : varintSize(value));
  }
}

function bigVarintSize(value: bigint): number {
  let size = 1;
  for (let rest = BigInt.asUintN(64, value) >> 7n; rest > 0n; rest >>= 7n) size++;
  return size;
}

/** Writes a parameter map as field `field`. Safe integers become int64, other numbers doubles, bigints int64 or uint64. */
export function writeParameters(
  writer: WireWriter,
  field: number,
  parameters: ReadonlyMap<string, InferParameterValue>,
): void {
  for (const [key, value] of parameters) {
    writer.open(field, entrySize(key, value));
    writer.text(1, key, textSize(key));
    writer.open(2, valueSize(value));
    writeValue(writer, value);
  }
}

function writeValue(writer: WireWriter, value: InferParameterValue): void {
  switch (typeof value) {
    case "boolean":
      writer.byte((1 << 3) | VARINT);
      writer.byte(value ? 1 : 0);
      return;
    case "string": {
      const size = textSize(value);
      // Inside a oneof the empty string is a value too, so it is written.
      if (size === 0) writer.open(3, 0);
      else writer.text(3, value, size);
      return;
    }
    case "bigint":
      writer.byte(((value > INT64_MAX ? 5 : 2) << 3) | VARINT);
      writer.varint64(value);
      return;
    case "number":
      if (!Number.isSafeInteger(value)) {
        writer.byte((4 << 3) | FIXED64);
        writer.float64(value);
        return;
      }
      writer.byte((2 << 3) | VARINT);
      if (value < 0) writer.varint64(BigInt(value));
      else writer.varint(value);
  }
}
