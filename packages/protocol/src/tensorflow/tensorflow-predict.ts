import type { Datatype } from "../datatype.ts";
import type { CodecLimits } from "../grpc/codec-limits.ts";
import { checkTensorCount, type Receiver, type WireRequest } from "../grpc/request-draft.ts";
import { LENGTH, VARINT, WireReader } from "../grpc/wire-reader.ts";
import type { WireResponse } from "../grpc/wire-response.ts";
import {
  fieldSize,
  type Target,
  textFieldSize,
  textSize,
  varintSize,
  WireWriter,
} from "../grpc/wire-writer.ts";
import { type Contents, contentsOf } from "../grpc/write-contents.ts";
import { ServeError } from "../serve-error.ts";
import type { NamedTensor } from "../tensor.ts";
import { FIELD_OF } from "./tensor-elements.ts";
import { DATATYPE_OF, readTensorProto } from "./tensor-proto.ts";

/** The only signature that models have here. */
export const SIGNATURE_NAME = "serving_default";

const NONE = new Map<string, never>();

interface ModelSpec {
  model: string;
  version: string | undefined;
}

/**
 * Decodes `tensorflow.serving.PredictRequest`. Tensor bytes are views on `bytes` where it holds them. `maxBytes` bounds what a tensor becomes. Throws
 * what `onModel` throws, and ServeError `invalid_argument`, for another signature too.
 */
export function decodeTensorflowPredict(
  bytes: Uint8Array,
  { limits, maxBytes }: { readonly limits: CodecLimits; readonly maxBytes: number },
  receiver: Receiver,
): WireRequest {
  const reader = new WireReader(bytes);
  const end = bytes.length;
  const spec: ModelSpec = { model: "", version: undefined };
  const spans: number[] = [];
  const outputs: string[] = [];
  for (let tag = reader.tag(end); tag !== 0; tag = reader.tag(end)) {
    if (tag === ((1 << 3) | LENGTH)) readModelSpec(reader, reader.enter(end), { spec, limits });
    else if (tag === ((2 << 3) | LENGTH)) {
      const stop = reader.enter(end);
      spans.push(reader.pos, stop);
      reader.pos = stop;
    } else if (tag === ((3 << 3) | LENGTH))
      outputs.push(reader.text(end, limits.maxTextBytes, "an output's name"));
    else reader.skip(tag, end);
    checkTensorCount(spans.length / 2 + outputs.length, limits);
  }
  if (spec.model !== "") receiver.onModel?.(spec.model, spec.version);
  const inputs: NamedTensor[] = [];
  for (let i = 0; i < spans.length; i += 2) {
    reader.pos = spans[i]!;
    inputs.push(readInput(reader, spans[i + 1]!, { limits, maxBytes, late: receiver.late }));
  }
  return {
    ...spec,
    id: undefined,
    parameters: NONE,
    inputs,
    outputs: outputs.length === 0 ? undefined : outputs,
    timeoutMs: 0,
  };
}

function readModelSpec(
  reader: WireReader,
  end: number,
  { spec, limits }: { readonly spec: ModelSpec; readonly limits: CodecLimits },
): void {
  for (let tag = reader.tag(end); tag !== 0; tag = reader.tag(end)) {
    switch (tag) {
      case (1 << 3) | LENGTH:
        spec.model = reader.text(end, limits.maxTextBytes, "the model's name");
        break;
      case (2 << 3) | LENGTH: {
        const stop = reader.enter(end);
        spec.version = "0";
        for (let inner = reader.tag(stop); inner !== 0; inner = reader.tag(stop)) {
          if (inner !== ((1 << 3) | VARINT)) reader.skip(inner, stop);
          else {
            reader.varint(stop);
            spec.version = String(reader.int64());
          }
        }
        break;
      }
      case (3 << 3) | LENGTH:
        checkSignature(reader.text(end, limits.maxTextBytes, "the signature's name"));
        break;
      case (4 << 3) | LENGTH:
        rejectLabel(reader.text(end, limits.maxTextBytes, "the version's label"));
        break;
      default:
        reader.skip(tag, end);
    }
  }
}

/** Throws `invalid_argument` for another name than the only one. */
export function checkSignature(name: string): void {
  if (name === "" || name === SIGNATURE_NAME) return;
  throw new ServeError("invalid_argument", `the only signature_name of a model is ${SIGNATURE_NAME}`, {
    reason: "bad_request",
  });
}

/** Throws `invalid_argument` for a label. */
export function rejectLabel(label: string): void {
  if (label === "") return;
  throw new ServeError(
    "invalid_argument",
    "versions have no labels here; ask by number, or leave the version out",
    {
      reason: "bad_request",
    },
  );
}

interface InputReading {
  readonly limits: CodecLimits;
  readonly maxBytes: number;
  readonly late: Receiver["late"];
}

/** One entry of the map of inputs. */
function readInput(reader: WireReader, end: number, how: InputReading): NamedTensor {
  let name = "";
  let [start, stop] = [end, end];
  for (let tag = reader.tag(end); tag !== 0; tag = reader.tag(end)) {
    if (tag === ((1 << 3) | LENGTH)) name = reader.text(end, how.limits.maxTextBytes, "an input's name");
    else if (tag === ((2 << 3) | LENGTH)) {
      stop = reader.enter(end);
      start = reader.pos;
      reader.pos = stop;
    } else reader.skip(tag, end);
  }
  reader.pos = start;
  return readTensorProto(reader, stop, { name, ...how });
}

/** Numbers of `tensorflow.DataType` by datatype. */
export const TYPE_OF = Object.fromEntries(
  Object.entries(DATATYPE_OF).map(([number, datatype]) => [datatype, Number(number)]),
) as Readonly<Record<Datatype, number>>;

/** Go as `tensor_content`, which every client reads as well; the others have fields of their own. */
const AS_CONTENT: ReadonlySet<Datatype> = new Set(["FP16", "BF16", "UINT32", "UINT64"]);
const CONTENT_FIELD = 4;

/** Encodes `tensorflow.serving.PredictResponse`, elements in the fields of their types as TensorFlow Serving does. */
export function encodeTensorflowPredict(response: WireResponse, target: Target): Uint8Array {
  const outputs = response.outputs.map((output) => new OutputEntry(output));
  const version = /^\d{1,15}$/.test(response.version) ? Number(response.version) : 0;
  const versionSize = version === 0 ? 0 : 1 + varintSize(version);
  const spec = textFieldSize(response.model) + fieldSize(versionSize) + textFieldSize(SIGNATURE_NAME);
  let size = fieldSize(spec);
  for (const output of outputs) size += fieldSize(output.size);
  const writer = new WireWriter(size, target);
  for (const output of outputs) output.write(writer);
  writer.open(2, spec);
  writer.text(1, response.model, textSize(response.model));
  writer.open(2, versionSize);
  if (version > 0) {
    writer.byte((1 << 3) | VARINT);
    writer.varint(version);
  }
  writer.text(3, SIGNATURE_NAME, SIGNATURE_NAME.length);
  return writer.bytes;
}

/** One entry of the map of outputs: key, TensorProto. */
class OutputEntry {
  readonly size: number;
  readonly #output: NamedTensor;
  readonly #contents: Contents;
  readonly #shapeSize: number;
  readonly #tensorSize: number;

  constructor(output: NamedTensor) {
    this.#output = output;
    const field = AS_CONTENT.has(output.datatype) ? undefined : FIELD_OF[output.datatype];
    this.#contents = field === undefined ? rawContents(output.bytes) : contentsOf(output, field);
    let shapeSize = 0;
    for (const dim of output.shape) shapeSize += fieldSize(dim === 0 ? 0 : 1 + varintSize(dim));
    this.#shapeSize = shapeSize;
    this.#tensorSize = 2 + fieldSize(shapeSize) + this.#contents.size;
    this.size = fieldSize(textSize(output.name)) + fieldSize(this.#tensorSize);
  }

  write(writer: WireWriter): void {
    const { name, datatype, shape } = this.#output;
    writer.open(1, this.size);
    const nameSize = textSize(name);
    if (nameSize === 0) writer.open(1, 0);
    else writer.text(1, name, nameSize);
    writer.open(2, this.#tensorSize);
    writer.byte((1 << 3) | VARINT);
    writer.byte(TYPE_OF[datatype]);
    writer.open(2, this.#shapeSize);
    for (const dim of shape) {
      writer.open(2, dim === 0 ? 0 : 1 + varintSize(dim));
      if (dim === 0) continue;
      writer.byte((1 << 3) | VARINT);
      writer.varint(dim);
    }
    this.#contents.write(writer);
  }
}

function rawContents(bytes: Uint8Array): Contents {
  return { size: fieldSize(bytes.length), write: (writer) => writer.raw(CONTENT_FIELD, bytes) };
}
