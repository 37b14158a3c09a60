import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import { WireCursor, type WireField } from "./wire-cursor.ts";
import { readValueInfo } from "./wire-value-info.ts";

/** What an ONNX file says about itself, read without loading its weights. */
export interface OnnxScan {
  readonly irVersion: number;
  readonly producer: string;
  /** By domain; "" is ONNX's own. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
  /** Op types of the graph, its subgraphs and functions; `domain::Type` outside ONNX's own domain. */
  readonly ops: ReadonlyMap<string, number>;
  readonly parameterCount: number;
  readonly weightBytes: number;
  /** Every `location` that a tensor anywhere in the model (subgraphs, attributes and sparse tensors too) points to. */
  readonly externalFiles: readonly string[];
}

export interface OnnxPort {
  readonly name: string;
  /** TensorProto.DataType; 0 when the value is no tensor. */
  readonly elementType: number;
  /** Sizes, or the name of a symbol ("" when it has none). */
  readonly dims: readonly (number | string)[];
}

export interface OnnxScanLimits {
  readonly maxFields: number;
  readonly maxDepth: number;
}

/** 20 million fields: two hundred times a large language model's graph. Depth 16: If and Loop bodies nest two or three deep. */
const DEFAULT_LIMITS: OnnxScanLimits = { maxFields: 20_000_000, maxDepth: 16 };
const MAX_NAME_BYTES = 64 * 1024;
const ELEMENT_BITS: Readonly<Record<number, number>> = {
  1: 32,
  2: 8,
  3: 8,
  4: 16,
  5: 16,
  6: 32,
  7: 64,
  9: 8,
  10: 16,
  11: 64,
  12: 32,
  13: 64,
  14: 64,
  15: 128,
  16: 16,
  17: 8,
  18: 8,
  19: 8,
  20: 8,
  21: 4,
  22: 4,
  23: 4,
};

/**
 * Walks a ModelProto (onnx.proto, IR ≤ 13). Field numbers are those of that file. Throws ModelFileError: `corrupt` when the bytes are
 * no model, `limit` when it passes a limit.
 */
export function scanOnnx(source: ByteSource, limits: OnnxScanLimits = DEFAULT_LIMITS): OnnxScan {
  const scan = new Scan(new WireCursor(source, limits.maxFields), limits.maxDepth);
  scan.model(source.byteLength);
  return scan.result();
}

class Scan {
  readonly #cursor: WireCursor;
  readonly #maxDepth: number;
  #irVersion = 0;
  #producer = "";
  #hasGraph = false;
  readonly #opsets = new Map<string, number>();
  readonly #inputs: OnnxPort[] = [];
  readonly #outputs: OnnxPort[] = [];
  readonly #initializers = new Set<string>();
  readonly #ops = new Map<string, number>();
  readonly #externalFiles = new Set<string>();
  #parameterCount = 0;
  #weightBytes = 0;

  constructor(cursor: WireCursor, maxDepth: number) {
    this.#cursor = cursor;
    this.#maxDepth = maxDepth;
  }

  result(): OnnxScan {
    if (!this.#hasGraph || this.#irVersion === 0)
      throw new ModelFileError("corrupt", "not an ONNX model: it has no graph");
    return {
      irVersion: this.#irVersion,
      producer: this.#producer,
      opsets: this.#opsets,
      inputs: this.#inputs.filter(({ name }) => !this.#initializers.has(name)),
      outputs: this.#outputs,
      ops: this.#ops,
      parameterCount: this.#parameterCount,
      weightBytes: this.#weightBytes,
      externalFiles: [...this.#externalFiles],
    };
  }

  model(end: number): void {
    this.#cursor.eachField(0, end, (field) => {
      if (field.number === 1 && field.wireType === 0) this.#irVersion = Number(field.value);
      else if (field.number === 2) this.#producer = this.#name(field);
      else if (field.number === 7) {
        this.#hasGraph = true;
        this.#graph(field, 0);
      } else if (field.number === 8) this.#opset(field);
      else if (field.number === 25) this.#function(field);
    });
  }

  #opset(message: WireField): void {
    let domain = "";
    let version = 0;
    this.#cursor.eachFieldIn(message, (field) => {
      if (field.number === 1) domain = this.#name(field);
      else if (field.number === 2) version = Number(field.value);
    });
    this.#opsets.set(domain, version);
  }

  #graph(message: WireField, depth: number): void {
    if (depth > this.#maxDepth)
      throw new ModelFileError("limit", `subgraphs are nested deeper than ${this.#maxDepth}`);
    this.#cursor.eachFieldIn(message, (field) => {
      if (field.number === 1) this.#node(field, depth);
      else if (field.number === 5) this.#tensor(field, depth === 0);
      else if (field.number === 11 && depth === 0) this.#inputs.push(this.#valueInfo(field));
      else if (field.number === 12 && depth === 0) this.#outputs.push(this.#valueInfo(field));
      else if (field.number === 15) this.#sparseTensor(field);
    });
  }

  #function(message: WireField): void {
    this.#cursor.eachFieldIn(message, (field) => {
      if (field.number === 7) this.#node(field, 1);
      else if (field.number === 11) this.#attribute(field, 1);
    });
  }

  #node(message: WireField, depth: number): void {
    let type = "";
    let domain = "";
    this.#cursor.eachFieldIn(message, (field) => {
      if (field.number === 4) type = this.#name(field);
      else if (field.number === 7) domain = this.#name(field);
      else if (field.number === 5) this.#attribute(field, depth);
    });
    const op = domain === "" || domain === "ai.onnx" ? type : `${domain}::${type}`;
    this.#ops.set(op, (this.#ops.get(op) ?? 0) + 1);
  }

  #attribute(message: WireField, depth: number): void {
    this.#cursor.eachFieldIn(message, (field) => {
      if (field.number === 5 || field.number === 10) this.#tensor(field, false);
      else if (field.number === 6 || field.number === 11) this.#graph(field, depth + 1);
      else if (field.number === 22 || field.number === 23) this.#sparseTensor(field);
    });
  }

  #sparseTensor(message: WireField): void {
    this.#cursor.eachFieldIn(message, (field) => {
      if (field.number === 1 || field.number === 2) this.#tensor(field, false);
    });
  }

  #tensor(message: WireField, isWeight: boolean): void {
    let count = 1;
    let type = 0;
    const multiply = (size: bigint): void => {
      count *= Number(BigInt.asIntN(64, size));
    };
    this.#cursor.eachFieldIn(message, (field) => {
      if (field.number === 1) {
        if (field.wireType === 2) for (const size of this.#cursor.packed(field)) multiply(size);
        else multiply(field.value);
      } else if (field.number === 2) type = Number(field.value);
      else if (field.number === 8 && isWeight) this.#initializers.add(this.#name(field));
      else if (field.number === 13) this.#externalEntry(field);
    });
    if (!isWeight || !(count >= 0)) return;
    this.#parameterCount += count;
    this.#weightBytes += (count * (ELEMENT_BITS[type] ?? 0)) / 8;
  }

  #externalEntry(message: WireField): void {
    let key = "";
    let value = "";
    this.#cursor.eachFieldIn(message, (field) => {
      if (field.number === 1) key = this.#name(field);
      else if (field.number === 2) value = this.#name(field);
    });
    if (key === "location") this.#externalFiles.add(value);
  }

  #valueInfo(message: WireField): OnnxPort {
    const { name, elementType, dims = [] } = readValueInfo(this.#cursor, message);
    return { name, elementType, dims: dims.map((dim) => dim ?? "") };
  }

  #name(field: WireField): string {
    return this.#cursor.text(field, MAX_NAME_BYTES);
  }
}
