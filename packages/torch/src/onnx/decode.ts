import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import { SHORTCUT } from "./data-decision.ts";
import { decodeTensor } from "./decode-tensor.ts";
import { dtypeOfOnnx } from "./dtype.ts";
import type { Attribute, Initializer, OnnxGraph, OnnxModel, OnnxNode, ValueInfo } from "./model.ts";
import { ONNX_LIMITS, OnnxCursor } from "./onnx-cursor.ts";
import { scanOnnx } from "./scan-model.ts";
import type { WireField } from "./wire-cursor.ts";
import { readValueInfo } from "./wire-value-info.ts";

/** AttributeProto.AttributeType of the kinds that are understood; all others are kept as they are. */
const TYPE = { float: 1, int: 2, string: 3, graph: 5, floats: 6, ints: 7 } as const;
/** TYPE_PROTOS, the last of them. */
const LAST_TYPE = 14n;
const MAX_NODE_NAME_BYTES = 1024;
const TEXT = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Reads a ModelProto into plain data that rewrites can change and `encodeModel` can write. Weights stay in the file: their
 * initializers point into it. Intermediate shapes, documentation and names of nodes are left out, but those of shortcuts. Throws ModelFileError: whatever
 * `scanOnnx` throws, and "unsupported" for what rewrites cannot keep.
 */
export function decodeModel(source: ByteSource, options: DecodeOptions = {}): OnnxModel {
  scanOnnx(source);
  return new Decoder(source, options).model();
}

export interface DecodeOptions {
  /** Keeps the names of all nodes, which say nothing to a rewrite. Default: those of shortcuts alone. */
  readonly keepsNames?: boolean;
}

/** A graph while its fields are read: a graph field that is written twice is one graph with the fields of both. */
interface GraphParts {
  name: string;
  readonly nodes: OnnxNode[];
  readonly initializers: Initializer[];
  readonly inputs: ValueInfo[];
  readonly outputs: ValueInfo[];
}

const emptyGraph = (): GraphParts => ({ name: "", nodes: [], initializers: [], inputs: [], outputs: [] });

class Decoder {
  readonly #cursor: OnnxCursor;
  readonly #source: ByteSource;
  readonly #keepsNames: boolean;

  constructor(source: ByteSource, { keepsNames = false }: DecodeOptions) {
    this.#keepsNames = keepsNames;
    this.#cursor = new OnnxCursor(source, ONNX_LIMITS);
    this.#source = source;
  }

  model(): OnnxModel {
    const opsets = new Map<string, number>();
    const functions: Uint8Array[] = [];
    const metadata: Uint8Array[] = [];
    const graph = emptyGraph();
    this.#cursor.eachField("model", undefined, (field) => {
      if (field.number === 7) this.#readGraph(graph, field);
      else if (field.number === 8) opsets.set(...this.#opset(field));
      else if (field.number === 14) metadata.push(this.#cursor.payload(field));
      else if (field.number === 25) functions.push(this.#cursor.payload(field));
    });
    return { graph: finished(graph), opsets, functions, metadata };
  }

  #opset(message: WireField): [string, number] {
    let [domain, version] = ["", 0];
    this.#cursor.eachField("opset", message, (field) => {
      if (field.number === 1) domain = this.#cursor.name(field);
      else if (field.number === 2) version = Number(field.value);
    });
    return [domain, version];
  }

  #readGraph(graph: GraphParts, message: WireField): void {
    this.#cursor.eachField("graph", message, (field) => {
      if (field.number === 1) graph.nodes.push(this.#node(field));
      else if (field.number === 2) graph.name = this.#cursor.name(field);
      else if (field.number === 5)
        graph.initializers.push(decodeTensor(this.#cursor, field, this.#source.name));
      else if (field.number === 11) graph.inputs.push(this.#valueInfo(field));
      else if (field.number === 12) graph.outputs.push(this.#valueInfo(field));
      else if (field.number === 15) throw new ModelFileError("unsupported", "the model has sparse weights");
    });
  }

  #node(message: WireField): OnnxNode {
    const inputs: string[] = [];
    const outputs: string[] = [];
    const attributes: Record<string, Attribute> = {};
    let [type, domain] = ["", ""];
    let name: string | undefined;
    this.#cursor.eachField("node", message, (field) => {
      if (field.number === 1) inputs.push(this.#cursor.name(field));
      else if (field.number === 2) outputs.push(this.#cursor.name(field));
      else if (field.number === 3) name = this.#nodeName(field);
      else if (field.number === 4) type = this.#cursor.name(field);
      else if (field.number === 7) domain = this.#cursor.name(field);
      else if (field.number === 8 && field.length > 0) {
        throw new ModelFileError("unsupported", "the model calls overloaded functions");
      } else if (field.number === 5) {
        const [name, value] = this.#attribute(field);
        Object.defineProperty(attributes, name, { value, enumerable: true });
      }
    });
    const known = { type, domain: domain === "ai.onnx" ? "" : domain, inputs, outputs, attributes };
    return name === undefined ? known : { ...known, name };
  }

  /** The only name of a node that says something to a rewrite is that of a branch that decides nothing for the other rows. */
  #nodeName(field: WireField): string | undefined {
    const text = TEXT.decode(this.#cursor.payload(field).subarray(0, MAX_NODE_NAME_BYTES));
    return this.#keepsNames || text.startsWith(SHORTCUT) ? text : undefined;
  }

  #attribute(message: WireField): [string, Attribute] {
    let [name, type, int, text] = ["", 0, 0n, ""];
    let float = 0;
    let graph: GraphParts | undefined;
    const ints: number[] = [];
    const floats: number[] = [];
    this.#cursor.eachField("attribute", message, (field) => {
      if (field.number === 1) name = this.#cursor.name(field);
      else if (field.number === 2) float = floatOf(field.value);
      else if (field.number === 3) int = BigInt.asIntN(64, field.value);
      else if (field.number === 4) text = TEXT.decode(this.#cursor.payload(field));
      else if (field.number === 6) {
        graph ??= emptyGraph();
        this.#readGraph(graph, field);
      } else if (field.number === 7) this.#floats(field, floats);
      else if (field.number === 8) this.#cursor.eachInt(field, (value) => ints.push(Number(value)));
      // A value that the enum does not have is not a value, in proto2.
      else if (field.number === 20 && field.value <= LAST_TYPE) type = Number(field.value);
    });
    const isExact = Number.isSafeInteger(Number(int)) && ints.every(Number.isSafeInteger);
    if (type === TYPE.int && isExact) return [name, Number(int)];
    if (type === TYPE.ints && isExact) return [name, ints];
    if (type === TYPE.float) return [name, { float }];
    if (type === TYPE.floats) return [name, { floats }];
    if (type === TYPE.graph && graph !== undefined) return [name, { graph: finished(graph) }];
    if (type === TYPE.string && !text.includes("\ufffd")) return [name, text];
    return [name, { raw: this.#cursor.payload(message) }];
  }

  #floats(field: WireField, floats: number[]): void {
    if (field.wireType !== 2) {
      floats.push(floatOf(field.value));
      return;
    }
    const bytes = this.#cursor.payload(field);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + 4 <= bytes.length; at += 4) floats.push(view.getFloat32(at, true));
  }

  #valueInfo(message: WireField): ValueInfo {
    const { name, elementType, dims } = readValueInfo(this.#cursor, message);
    return { name, dtype: dtypeOfOnnx(elementType), dims, raw: this.#cursor.payload(message) };
  }
}

function finished(graph: GraphParts): OnnxGraph {
  const stored = new Set(graph.initializers.map((item) => item.name));
  return { ...graph, inputs: graph.inputs.filter((input) => !stored.has(input.name)) };
}

const SCRATCH = new DataView(new ArrayBuffer(4));

function floatOf(bits: bigint): number {
  SCRATCH.setUint32(0, Number(bits & 0xffffffffn), true);
  return SCRATCH.getFloat32(0, true);
}
