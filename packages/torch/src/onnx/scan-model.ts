import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import { int32, ONNX_LIMITS, OnnxCursor, type OnnxLimits } from "./onnx-cursor.ts";
import type { WireField } from "./wire-cursor.ts";
import { isMessage, type OnnxMessage } from "./wire-schema.ts";
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
  /** Of the weights, by TensorProto.DataType. */
  readonly bytesByType: ReadonlyMap<number, number>;
  /** Every `location` that a tensor anywhere in the model (subgraphs, functions, attributes and sparse tensors too) points to. */
  readonly externalFiles: readonly string[];
}

export interface OnnxPort {
  readonly name: string;
  /** TensorProto.DataType; 0 when the value is not a tensor. */
  readonly elementType: number;
  /** Sizes, or the name of a symbol ("" when it has none). */
  readonly dims: readonly (number | string)[];
}

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
 * Reads what serving, inspecting and rewriting an ONNX file all need to know, and is the one judge of whether a file is ONNX. Throws
 * ModelFileError: `corrupt` when the bytes are not model, `limit` when it passes a limit.
 */
export function scanOnnx(source: ByteSource, limits?: Partial<OnnxLimits>): OnnxScan {
  const scan = new Scan(new OnnxCursor(source, { ...ONNX_LIMITS, ...limits }));
  scan.model();
  return scan.result();
}

class Scan {
  readonly #cursor: OnnxCursor;
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
  readonly #bytesByType = new Map<number, number>();

  constructor(cursor: OnnxCursor) {
    this.#cursor = cursor;
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
      bytesByType: this.#bytesByType,
      externalFiles: [...this.#externalFiles],
    };
  }

  model(): void {
    this.#cursor.eachField("model", undefined, (field, type) => {
      if (field.number === 1) this.#irVersion = Number(field.value);
      else if (field.number === 2) this.#producer = this.#cursor.name(field);
      else if (field.number === 7) {
        this.#hasGraph = true;
        this.#mainGraph(field);
      } else if (field.number === 8) this.#opset(field);
      else if (isMessage(type)) this.#descend(type, field);
    });
  }

  /** A graph field that is written twice is one graph with the fields of both, as protobuf merges them. */
  #mainGraph(message: WireField): void {
    this.#cursor.eachField("graph", message, (field, type) => {
      if (field.number === 5) this.#weight(field);
      else if (field.number === 11) this.#inputs.push(this.#valueInfo(field));
      else if (field.number === 12) this.#outputs.push(this.#valueInfo(field));
      else if (field.number === 15) this.#sparseWeight(field);
      else if (isMessage(type)) this.#descend(type, field);
    });
  }

  /** Everything below that may hold nodes or tensors: subgraphs, functions, attributes, training graphs. */
  #descend(message: OnnxMessage, field: WireField): void {
    if (message === "node") this.#node(field);
    else if (message === "tensor") this.#tensor(field);
    else {
      this.#cursor.eachField(message, field, (inner, type) => {
        if (isMessage(type)) this.#descend(type, inner);
      });
    }
  }

  #opset(message: WireField): void {
    let domain = "";
    let version = 0;
    this.#cursor.eachField("opset", message, (field) => {
      if (field.number === 1) domain = this.#cursor.name(field);
      else if (field.number === 2) version = Number(field.value);
    });
    this.#opsets.set(domain === "ai.onnx" ? "" : domain, version);
  }

  #node(message: WireField): void {
    let type = "";
    let domain = "";
    this.#cursor.eachField("node", message, (field, fieldType) => {
      if (field.number === 4) type = this.#cursor.name(field);
      else if (field.number === 7) domain = this.#cursor.name(field);
      else if (isMessage(fieldType)) this.#descend(fieldType, field);
    });
    const op = domain === "" || domain === "ai.onnx" ? type : `${domain}::${type}`;
    this.#ops.set(op, (this.#ops.get(op) ?? 0) + 1);
  }

  #weight(message: WireField): void {
    const { name, count, type } = this.#tensor(message);
    this.#initializers.add(name);
    if (!(count >= 0)) return;
    this.#parameterCount += count;
    const bytes = (count * (ELEMENT_BITS[type] ?? 0)) / 8;
    this.#weightBytes += bytes;
    this.#bytesByType.set(type, (this.#bytesByType.get(type) ?? 0) + bytes);
  }

  /** The values of a sparse weight carry its name. */
  #sparseWeight(message: WireField): void {
    this.#cursor.eachField("sparseTensor", message, (field) => {
      if (field.number === 1) this.#weight(field);
      else if (field.number === 2) this.#tensor(field);
    });
  }

  #tensor(message: WireField): { readonly name: string; readonly count: number; readonly type: number } {
    let name = "";
    let count = 1;
    let type = 0;
    this.#cursor.eachField("tensor", message, (field, fieldType) => {
      if (field.number === 1) {
        this.#cursor.eachInt(field, (size) => {
          count *= Number(size);
        });
      } else if (field.number === 2) type = int32(field);
      else if (field.number === 8) name = this.#cursor.name(field);
      else if (field.number === 13) this.#externalEntry(field);
      else if (isMessage(fieldType)) this.#descend(fieldType, field);
    });
    return { name, count, type };
  }

  #externalEntry(message: WireField): void {
    let key = "";
    let value: WireField | undefined;
    this.#cursor.eachField("entry", message, (field) => {
      if (field.number === 1) key = this.#cursor.name(field);
      else if (field.number === 2) value = field;
    });
    if (key === "location") this.#externalFiles.add(value === undefined ? "" : this.#cursor.exactName(value));
  }

  #valueInfo(message: WireField): OnnxPort {
    const { name, elementType, dims = [] } = readValueInfo(this.#cursor, message);
    return { name, elementType, dims: dims.map((dim) => dim ?? "") };
  }
}
