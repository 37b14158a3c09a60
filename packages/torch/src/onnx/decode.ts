import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import { decodeTensor } from "./decode-tensor.ts";
import { dtypeOfOnnx } from "./dtype.ts";
import type { Attribute, Initializer, OnnxGraph, OnnxModel, OnnxNode, ValueInfo } from "./model.ts";
import { WireCursor, type WireField } from "./wire-cursor.ts";
import { readValueInfo } from "./wire-value-info.ts";

const MAX_NAME_BYTES = 64 * 1024;
const MAX_FIELDS = 20_000_000;
const MAX_DEPTH = 16;

/** AttributeProto.AttributeType of the kinds that are understood; all others are kept as they are. */
const TYPE = { float: 1, int: 2, string: 3, graph: 5, floats: 6, ints: 7 } as const;

/**
 * Reads a ModelProto into plain data that rewrites can change and `encodeModel` can write. Weights stay in the file: their
 * initializers point into it. Intermediate shapes, node names and documentation are left out. Throws ModelFileError.
 */
export function decodeModel(source: ByteSource): OnnxModel {
  return new Decoder(source).model();
}

class Decoder {
  readonly #cursor: WireCursor;
  readonly #source: ByteSource;

  constructor(source: ByteSource) {
    this.#cursor = new WireCursor(source, MAX_FIELDS);
    this.#source = source;
  }

  model(): OnnxModel {
    const opsets = new Map<string, number>();
    const functions: Uint8Array[] = [];
    const metadata: Uint8Array[] = [];
    let graph: OnnxGraph | undefined;
    this.#cursor.eachField(0, this.#source.byteLength, (field) => {
      if (field.number === 7) graph = this.#graph(field, 0);
      else if (field.number === 8) opsets.set(...this.#opset(field));
      else if (field.number === 14) metadata.push(this.#cursor.payload(field));
      else if (field.number === 25) functions.push(this.#cursor.payload(field));
    });
    if (graph === undefined) throw new ModelFileError("corrupt", "not an ONNX model: it has no graph");
    return { graph, opsets, functions, metadata };
  }

  #opset(message: WireField): [string, number] {
    let [domain, version] = ["", 0];
    this.#cursor.eachFieldIn(message, (field) => {
      if (field.number === 1) domain = this.#text(field);
      else if (field.number === 2) version = Number(field.value);
    });
    return [domain, version];
  }

  #graph(message: WireField, depth: number): OnnxGraph {
    if (depth > MAX_DEPTH) throw new ModelFileError("limit", `subgraphs are nested deeper than ${MAX_DEPTH}`);
    const nodes: OnnxNode[] = [];
    const initializers: Initializer[] = [];
    const inputs: ValueInfo[] = [];
    const outputs: ValueInfo[] = [];
    let name = "";
    this.#cursor.eachFieldIn(message, (field) => {
      if (field.number === 1) nodes.push(this.#node(field, depth));
      else if (field.number === 2) name = this.#text(field);
      else if (field.number === 5) initializers.push(decodeTensor(this.#cursor, field, this.#source.name));
      else if (field.number === 11) inputs.push(this.#valueInfo(field));
      else if (field.number === 12) outputs.push(this.#valueInfo(field));
      else if (field.number === 15) throw new ModelFileError("unsupported", "the model has sparse weights");
    });
    const stored = new Set(initializers.map((item) => item.name));
    return { name, nodes, initializers, inputs: inputs.filter((input) => !stored.has(input.name)), outputs };
  }

  #node(message: WireField, depth: number): OnnxNode {
    const inputs: string[] = [];
    const outputs: string[] = [];
    const attributes: Record<string, Attribute> = {};
    let [type, domain] = ["", ""];
    this.#cursor.eachFieldIn(message, (field) => {
      if (field.number === 1) inputs.push(this.#text(field));
      else if (field.number === 2) outputs.push(this.#text(field));
      else if (field.number === 4) type = this.#text(field);
      else if (field.number === 7) domain = this.#text(field);
      else if (field.number === 8 && field.length > 0) {
        throw new ModelFileError("unsupported", "the model calls overloaded functions");
      } else if (field.number === 5) {
        const [name, value] = this.#attribute(field, depth);
        Object.defineProperty(attributes, name, { value, enumerable: true });
      }
    });
    return { type, domain: domain === "ai.onnx" ? "" : domain, inputs, outputs, attributes };
  }

  #attribute(message: WireField, depth: number): [string, Attribute] {
    let [name, type, int, text] = ["", 0, 0n, ""];
    let float = 0;
    let graph: OnnxGraph | undefined;
    const ints: number[] = [];
    const floats: number[] = [];
    this.#cursor.eachFieldIn(message, (field) => {
      if (field.number === 1) name = this.#text(field);
      else if (field.number === 2) float = floatOf(field.value);
      else if (field.number === 3) int = BigInt.asIntN(64, field.value);
      else if (field.number === 4) text = this.#cursor.text(field, field.length);
      else if (field.number === 6) graph = this.#graph(field, depth + 1);
      else if (field.number === 7) floats.push(...this.#floats(field));
      else if (field.number === 8) ints.push(...this.#ints(field));
      else if (field.number === 20) type = Number(field.value);
    });
    const isExact = Number.isSafeInteger(Number(int)) && ints.every(Number.isSafeInteger);
    if (type === TYPE.int && isExact) return [name, Number(int)];
    if (type === TYPE.ints && isExact) return [name, ints];
    if (type === TYPE.float) return [name, { float }];
    if (type === TYPE.floats) return [name, { floats }];
    if (type === TYPE.graph && graph !== undefined) return [name, { graph }];
    if (type === TYPE.string && !text.includes("\ufffd")) return [name, text];
    return [name, { raw: this.#cursor.payload(message) }];
  }

  #ints(field: WireField): number[] {
    const values = field.wireType === 2 ? this.#cursor.packed(field) : [field.value];
    return values.map((value) => Number(BigInt.asIntN(64, value)));
  }

  #floats(field: WireField): number[] {
    if (field.wireType !== 2) return [floatOf(field.value)];
    const bytes = this.#cursor.payload(field);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return Array.from({ length: bytes.length >> 2 }, (_, i) => view.getFloat32(4 * i, true));
  }

  #valueInfo(message: WireField): ValueInfo {
    const { name, elementType, dims } = readValueInfo(this.#cursor, message);
    return { name, dtype: dtypeOfOnnx(elementType), dims, raw: this.#cursor.payload(message) };
  }

  #text(field: WireField): string {
    return this.#cursor.text(field, MAX_NAME_BYTES);
  }
}

const SCRATCH = new DataView(new ArrayBuffer(4));

function floatOf(bits: bigint): number {
  SCRATCH.setUint32(0, Number(bits & 0xffffffffn), true);
  return SCRATCH.getFloat32(0, true);
}
