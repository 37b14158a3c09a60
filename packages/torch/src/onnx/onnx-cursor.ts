import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import { WireCursor, type WireField } from "./wire-cursor.ts";
import { fitsWireType, isMessage, ONNX_FIELDS, type OnnxFieldType, type OnnxMessage } from "./wire-schema.ts";

/** Limits of the ONNX reader. Every one throws ModelFileError("limit") when passed. */
export interface OnnxLimits {
  /** Protobuf fields of the whole file. Default 20 million: two hundred times a large language model's graph. */
  readonly maxFields: number;
  /**
   * How many messages may lie in each other below the model. Default 100, as ONNX Runtime's parser has it; an If or Loop inside
   * another takes three.
   */
  readonly maxDepth: number;
  /** Bytes of one name. Default 64 KiB. */
  readonly maxNameBytes: number;
}

export const ONNX_LIMITS: OnnxLimits = { maxFields: 20_000_000, maxDepth: 100, maxNameBytes: 64 * 1024 };

const NAMES = new TextDecoder("utf-8", { ignoreBOM: true });
const STRICT_NAMES = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/**
 * Walks an ONNX file the way protobuf defines: fields in any order, repeated ones and unknown ones, and one that is written in another
 * wire type than its own counts as unknown. All that read ONNX files walk with this.
 */
export class OnnxCursor {
  readonly #wire: WireCursor;
  readonly #limits: OnnxLimits;
  #depth = -1;

  constructor(source: ByteSource, limits: OnnxLimits) {
    this.#wire = new WireCursor(source, limits.maxFields);
    this.#limits = limits;
  }

  /** Visits the known fields of a message; without `field`: of the file. */
  eachField(
    message: OnnxMessage,
    field: WireField | undefined,
    visit: (field: WireField, type: OnnxFieldType) => void,
  ): void {
    const { maxDepth } = this.#limits;
    this.#depth += 1;
    if (this.#depth > maxDepth) throw tooDeep(maxDepth);
    const [start, length] = field === undefined ? [0, this.#wire.byteLength] : [field.offset, field.length];
    const types = ONNX_FIELDS[message];
    this.#wire.eachField(start, start + length, (inner) => {
      const type = types[inner.number];
      if (type !== undefined && fitsWireType(type, inner.wireType)) visit(inner, type);
    });
    this.#depth -= 1;
  }

  /** Walks a message that nothing is wanted of, so that its depth counts. */
  skim(message: OnnxMessage, field: WireField): void {
    this.eachField(message, field, (inner, type) => {
      if (isMessage(type)) this.skim(type, inner);
    });
  }

  /** A name; bytes that are not UTF-8 become U+FFFD. */
  name(field: WireField): string {
    return NAMES.decode(this.#nameBytes(field));
  }

  /** A name that stands for something outside the file. Throws ModelFileError "corrupt" when it is not UTF-8: it has no other spelling. */
  exactName(field: WireField): string {
    try {
      return STRICT_NAMES.decode(this.#nameBytes(field));
    } catch (cause) {
      if (cause instanceof ModelFileError) throw cause;
      throw new ModelFileError("corrupt", "the model names a file in letters that are not UTF-8", { cause });
    }
  }

  payload(field: WireField): Uint8Array {
    return this.#wire.payload(field);
  }

  /** The numbers of an `ints` field, as signed 64-bit ones. */
  eachInt(field: WireField, visit: (value: bigint) => void): void {
    this.#wire.eachVarint(field, (value) => visit(BigInt.asIntN(64, value)));
  }

  #nameBytes(field: WireField): Uint8Array {
    const { maxNameBytes } = this.#limits;
    if (field.length > maxNameBytes)
      throw new ModelFileError("limit", `a name is longer than ${maxNameBytes} bytes`);
    return this.#wire.payload(field);
  }
}

/** The value of an `int` field that is a 32-bit number, as protobuf reads it. */
export function int32({ value }: WireField): number {
  return Number(BigInt.asIntN(32, value));
}

function tooDeep(maxDepth: number): ModelFileError {
  return new ModelFileError(
    "limit",
    `the model's graphs lie in each other deeper than ONNX Runtime reads (${maxDepth} messages, about ${Math.floor((maxDepth - 6) / 3)} ` +
      "If, Loop or Scan bodies); flatten them before exporting",
  );
}
