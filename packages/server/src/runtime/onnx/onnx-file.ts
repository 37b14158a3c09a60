import type { FileSource } from "@sconce/torch/node";
import { ServeError } from "../../base/errors.ts";
import { REPAIR } from "./model-error.ts";

/** What the server process needs to know of an `.onnx` file before ONNX Runtime opens it. */
export interface OnnxFile {
  readonly parameterCount: number;
  readonly weightBytes: number;
  /** Files that hold external weights, as the model names them. */
  readonly externalFiles: readonly string[];
}

type Message = "model" | "graph" | "node" | "attribute" | "function" | "tensor" | "sparse" | "entry";

/** Fields of onnx.proto that lead to tensors: message → field number → message. Everything else is skipped unread. */
const FIELDS: Readonly<Record<Message, Readonly<Record<number, Message>>>> = {
  model: { 7: "graph", 25: "function" },
  graph: { 1: "node", 5: "tensor", 15: "sparse" },
  function: { 7: "node" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse" },
  sparse: { 1: "tensor", 2: "tensor" },
  tensor: { 13: "entry" },
  entry: {},
};

/** Bytes of an element by TensorProto.DataType; 4-bit types count half. */
const ELEMENT_BYTES: Readonly<Record<number, number>> = {
  1: 4,
  2: 1,
  3: 1,
  4: 2,
  5: 2,
  6: 4,
  7: 8,
  9: 1,
  10: 2,
  11: 8,
  12: 4,
  13: 8,
  14: 8,
  15: 16,
  16: 2,
  17: 1,
  18: 1,
  19: 1,
  20: 1,
  21: 0.5,
  22: 0.5,
};

const MAX_DEPTH = 64;
const MAX_ENTRY_BYTES = 4096;
const WINDOW_BYTES = 64 * 1024;

/** Walks the wire format of an `.onnx` file without reading its weights. Throws ServeError `failed_precondition` when it is damaged. */
export function readOnnxFile(source: FileSource): OnnxFile {
  const walk = new OnnxWalk(source);
  walk.message("model", 0, source.byteLength, 0);
  return {
    parameterCount: walk.parameterCount,
    weightBytes: walk.weightBytes,
    externalFiles: [...walk.externalFiles],
  };
}

class OnnxWalk {
  parameterCount = 0;
  weightBytes = 0;
  readonly externalFiles = new Set<string>();
  readonly #source: FileSource;
  #window: Uint8Array = new Uint8Array(0);
  #windowAt = 0;
  #at = 0;

  constructor(source: FileSource) {
    this.#source = source;
  }

  message(kind: Message, from: number, to: number, depth: number): void {
    if (depth > MAX_DEPTH) throw damaged("its graphs are nested too deeply");
    const tensor = { elements: 1, type: 0 };
    this.#at = from;
    while (this.#at < to) {
      const tag = this.#varint();
      const field = Math.floor(tag / 8);
      if (tag % 8 === 2) this.#bytesField(kind, field, { to, depth, tensor });
      else this.#scalarField(kind, field, tag % 8, tensor);
    }
    if (this.#at !== to) throw damaged("a field is longer than its message");
    if (kind === "tensor" && depth === 2) {
      this.parameterCount += tensor.elements;
      this.weightBytes += tensor.elements * (ELEMENT_BYTES[tensor.type] ?? 0);
    }
  }

  #bytesField(
    kind: Message,
    field: number,
    at: { to: number; depth: number; tensor: { elements: number } },
  ): void {
    const length = this.#varint();
    const end = this.#at + length;
    if (end > at.to) throw damaged("a field is longer than its message");
    const child = FIELDS[kind][field];
    if (kind === "tensor" && field === 1) {
      while (this.#at < end) at.tensor.elements *= this.#varint();
    } else if (child === "entry") {
      this.#externalEntry(length);
    } else if (child !== undefined) {
      this.message(child, this.#at, end, at.depth + 1);
    }
    this.#at = end;
  }

  #scalarField(
    kind: Message,
    field: number,
    wireType: number,
    tensor: { elements: number; type: number },
  ): void {
    if (wireType === 5) this.#at += 4;
    else if (wireType === 1) this.#at += 8;
    else if (wireType !== 0) throw damaged("it has a field of an unknown kind");
    else {
      const value = this.#varint();
      if (kind === "tensor" && field === 1) tensor.elements *= value;
      if (kind === "tensor" && field === 2) tensor.type = value;
    }
  }

  /** StringStringEntryProto { key = 1, value = 2 } of `external_data`; only `location` matters here. */
  #externalEntry(length: number): void {
    if (length > MAX_ENTRY_BYTES) throw damaged("an external data entry is too long");
    const bytes = Buffer.from(this.#source.read(this.#at, length));
    const key = bytes[0] === 0x0a ? bytes.toString("utf8", 2, 2 + bytes[1]!) : "";
    const valueAt = 2 + (bytes[1] ?? 0);
    if (key !== "location" || bytes[valueAt] !== 0x12) return;
    const isLong = bytes[valueAt + 1]! >= 0x80;
    this.externalFiles.add(bytes.toString("utf8", valueAt + (isLong ? 3 : 2)));
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 10; shift++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** (7 * shift);
      if (byte < 0x80) return value;
    }
    throw damaged("it has a number that is too long");
  }

  #byte(): number {
    const offset = this.#at - this.#windowAt;
    if (offset < 0 || offset >= this.#window.byteLength) {
      if (this.#at >= this.#source.byteLength) throw damaged("it ends in the middle of a field");
      this.#windowAt = this.#at;
      this.#window = this.#source.read(this.#at, Math.min(WINDOW_BYTES, this.#source.byteLength - this.#at));
      return this.#byte();
    }
    this.#at++;
    return this.#window[offset]!;
  }
}

function damaged(why: string): ServeError {
  return new ServeError("failed_precondition", `the ONNX file is damaged: ${why}; ${REPAIR}`, {
    reason: "model_refused",
  });
}
