import { ModelFileError } from "../errors.ts";
import { onnxDataType } from "./dtype.ts";
import type { Attribute, Initializer, OnnxGraph, OnnxModel, OnnxNode, ValueInfo } from "./model.ts";
import { ProtobufWriter } from "./protobuf.ts";

/** The IR version of opset 23, which ONNX Runtime 1.30 accepts (up to 13). */
const IR_VERSION = 11;
const EXTERNAL = 1;

/** AttributeProto.AttributeType. */
const TYPE = { float: 1, int: 2, string: 3, graph: 5, floats: 6, ints: 7, strings: 8 } as const;

/** What a protobuf message may have: lengths are signed 32-bit numbers. */
const MAX_BYTES = 2 ** 31 - 1;

/** Writes a ModelProto. Field numbers are those of onnx.proto (IR 11). Throws ModelFileError("limit") past 2 GiB. */
export function encodeModel(model: OnnxModel): Uint8Array {
  return write(model).finish();
}

/** `encodeModel` in pieces, for files: large initializers are not copied. */
export function encodeModelParts(model: OnnxModel): Uint8Array[] {
  return write(model).parts();
}

function write(model: OnnxModel): ProtobufWriter {
  const out = new ProtobufWriter();
  out.int(1, IR_VERSION);
  out.string(2, "sconce");
  out.message(7, () => graph(out, model.graph));
  for (const [domain, version] of model.opsets) {
    out.message(8, () => {
      out.string(1, domain);
      out.int(2, version);
    });
  }
  for (const item of model.metadata ?? []) out.bytes(14, item);
  for (const item of model.functions ?? []) out.bytes(25, item);
  if (out.byteLength <= MAX_BYTES) return out;
  throw new ModelFileError(
    "limit",
    "the model has more than 2 GiB of weights inside; they must lie in a file",
  );
}

function graph(out: ProtobufWriter, { name, nodes, initializers, inputs, outputs }: OnnxGraph): void {
  for (const item of nodes) out.message(1, () => node(out, item));
  out.string(2, name);
  for (const item of initializers) out.message(5, () => tensor(out, item));
  for (const item of inputs) out.message(11, () => valueInfo(out, item));
  for (const item of outputs) out.message(12, () => valueInfo(out, item));
}

function node(out: ProtobufWriter, { type, domain, inputs, outputs, attributes, name }: OnnxNode): void {
  for (const input of inputs) out.string(1, input);
  for (const output of outputs) out.string(2, output);
  if (name !== undefined) out.string(3, name);
  out.string(4, type);
  for (const [key, value] of Object.entries(attributes)) out.message(5, () => attribute(out, key, value));
  if (domain !== "") out.string(7, domain);
}

function attribute(out: ProtobufWriter, name: string, value: Attribute): void {
  if (typeof value === "object" && "raw" in value) {
    out.append(value.raw);
    return;
  }
  out.string(1, name);
  if (typeof value === "number") {
    out.int(3, value);
    out.int(20, TYPE.int);
  } else if (typeof value === "string") {
    out.string(4, value);
    out.int(20, TYPE.string);
  } else if ("float" in value) {
    out.float(2, value.float);
    out.int(20, TYPE.float);
  } else if ("graph" in value) {
    out.message(6, () => graph(out, value.graph));
    out.int(20, TYPE.graph);
  } else if ("floats" in value) {
    out.packedFloats(7, value.floats);
    out.int(20, TYPE.floats);
  } else if ("strings" in value) {
    for (const item of value.strings) out.string(9, item);
    out.int(20, TYPE.strings);
  } else {
    out.packedInts(8, value);
    out.int(20, TYPE.ints);
  }
}

function tensor(out: ProtobufWriter, { name, dtype, dims, data }: Initializer): void {
  out.packedInts(1, dims);
  out.int(2, onnxDataType(dtype));
  out.string(8, name);
  if (data instanceof Uint8Array) {
    out.bytes(9, data);
    return;
  }
  const entries = { location: data.location, offset: String(data.offset), length: String(data.byteLength) };
  for (const [key, value] of Object.entries(entries)) {
    out.message(13, () => {
      out.string(1, key);
      out.string(2, value);
    });
  }
  out.int(14, EXTERNAL);
}

function valueInfo(out: ProtobufWriter, { name, dtype, dims, raw }: ValueInfo): void {
  if (raw !== undefined) {
    out.append(raw);
    return;
  }
  out.string(1, name);
  if (dtype === undefined) return;
  out.message(2, () => {
    out.message(1, () => {
      out.int(1, onnxDataType(dtype));
      if (dims === undefined) return;
      out.message(2, () => {
        for (const dim of dims) {
          out.message(1, () => {
            if (typeof dim === "number") out.int(1, dim);
            else if (dim !== undefined) out.string(2, dim);
          });
        }
      });
    });
  });
}
