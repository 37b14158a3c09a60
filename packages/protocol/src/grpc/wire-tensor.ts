import { type Datatype, isDatatype } from "../datatype.ts";
import { isPlaceParameter, type RegionPlace, readPlace } from "../region-place.ts";
import { ServeError } from "../serve-error.ts";
import { elementCount, type NamedTensor } from "../tensor.ts";
import type { CodecLimits } from "./codec-limits.ts";
import { type InferParameterValue, readParameter } from "./infer-parameters.ts";
import { type Packing, packContents, packedAtOnce } from "./typed-contents.ts";
import { LENGTH, VARINT, WireReader } from "./wire-reader.ts";
import { fieldSize, textSize, varintSize, type WireWriter } from "./wire-writer.ts";

const EMPTY = new Uint8Array(0);

/** A tensor while its message is read: the bytes may come later, or typed. */
export interface TensorDraft {
  name: string;
  datatype: Datatype;
  readonly shape: number[];
  bytes: Uint8Array | undefined;
  /** Start and end of its contents message, once for each piece; undefined: none was sent. */
  contents: number[] | undefined;
  /** Where it lies in shared memory; undefined: its data come with the message. */
  place: RegionPlace | undefined;
}

/** Field 4 of a tensor message: parameters in the Open Inference Protocol, raw bytes in sconce.v1. */
export type FieldFour = "parameters" | "raw";

/** Tensor parameters that change what a tensor's bytes are; to ignore them would be a wrong answer. */
const CLASSIFICATION = "classification";
const SHARED_MEMORY = "shared_memory_";

/** Parameters of one tensor. */
type TensorParameters = Map<string, InferParameterValue>;

/** Reads a tensor message (name=1 datatype=2 shape=3 contents=5). Throws `invalid_argument`, or `unimplemented` for its parameters. */
export function readTensor(
  reader: WireReader,
  end: number,
  fieldFour: FieldFour,
  limits: CodecLimits,
): TensorDraft {
  const stop = reader.enter(end);
  let datatype = "";
  const draft: TensorDraft = {
    name: "",
    datatype: "BYTES",
    shape: [],
    bytes: undefined,
    contents: undefined,
    place: undefined,
  };
  let parameters: TensorParameters | undefined;
  for (let tag = reader.tag(stop); tag !== 0; tag = reader.tag(stop)) {
    switch (tag) {
      case (1 << 3) | LENGTH:
        draft.name = reader.text(stop, limits.maxTextBytes, "an input's name");
        break;
      case (2 << 3) | LENGTH:
        datatype = reader.text(stop, limits.maxTextBytes, "an input's datatype");
        break;
      case (3 << 3) | LENGTH:
        readDims(reader, reader.enter(stop), draft, limits);
        break;
      case (3 << 3) | VARINT:
        readDim(reader, stop, draft, limits);
        break;
      case (4 << 3) | LENGTH:
        if (fieldFour === "raw") draft.bytes = reader.span(stop);
        else {
          parameters ??= new Map();
          readParameter(reader, stop, parameters, limits);
        }
        break;
      case (5 << 3) | LENGTH: {
        const contentsEnd = reader.enter(stop);
        draft.contents ??= [];
        draft.contents.push(reader.pos, contentsEnd);
        reader.pos = contentsEnd;
        break;
      }
      default:
        reader.skip(tag, stop);
    }
  }
  if (!isDatatype(datatype)) {
    throw new ServeError("invalid_argument", `input "${draft.name}": "${datatype}" is not a datatype`, {
      reason: "bad_datatype",
    });
  }
  draft.datatype = datatype;
  if (parameters !== undefined) {
    if (parameters.has(CLASSIFICATION)) throw unsupported(CLASSIFICATION);
    draft.place = placeOf(parameters);
  }
  return draft;
}

function readDims(reader: WireReader, end: number, draft: TensorDraft, limits: CodecLimits): void {
  while (reader.pos < end) readDim(reader, end, draft, limits);
}

function readDim(reader: WireReader, end: number, draft: TensorDraft, limits: CodecLimits): void {
  reader.varint(end);
  const dim = reader.int64();
  if (typeof dim === "bigint" || dim < 0) {
    throw new ServeError("invalid_argument", `input "${draft.name}": ${dim} is not a size`, {
      reason: "bad_shape",
    });
  }
  draft.shape.push(dim);
  if (draft.shape.length > limits.maxDims) {
    throw new ServeError(
      "invalid_argument",
      `input "${draft.name}" has more than ${limits.maxDims} dimensions`,
      {
        reason: "limit_exceeded",
      },
    );
  }
  if (!Number.isSafeInteger(elementCount(draft.shape))) {
    throw new ServeError("invalid_argument", `input "${draft.name}": its shape has too many elements`, {
      reason: "bad_shape",
    });
  }
}

/** What the parameters of a requested output ask for. */
export interface OutputForm {
  /** So many of the best classes in its place; 0: the output itself. */
  readonly classes: number;
  /** Where it is to be written. */
  readonly place: RegionPlace | undefined;
}

/** What a requested output's parameters say. Throws `invalid_argument`, or `unimplemented` for those of shared memory that are unknown. */
export function outputForm(parameters: TensorParameters): OutputForm {
  const classes = parameters.get(CLASSIFICATION) ?? 0;
  if (typeof classes !== "number" || !Number.isSafeInteger(classes) || classes < 0) {
    throw new ServeError("invalid_argument", "classification: expected how many classes, 0 or more", {
      reason: "bad_parameter",
    });
  }
  return { classes, place: placeOf(parameters) };
}

function placeOf(parameters: TensorParameters): RegionPlace | undefined {
  for (const name of parameters.keys())
    if (name.startsWith(SHARED_MEMORY) && !isPlaceParameter(name)) throw unsupported(name);
  return readPlace((name) => parameters.get(name), "");
}

function unsupported(name: string): ServeError {
  return new ServeError("unimplemented", `the tensor parameter "${name}" is not supported`, {
    reason: "unsupported_parameter",
  });
}

/** Work on a message that its receiver does before it uses the tensors, in steps of his choice. */
export interface LateWork {
  /** About so many bytes more; true when all is done. Throws `invalid_argument`. */
  step(amount: number): boolean;
}

/** In a message of so many bytes, packing is worth a pause in between, whichever of its tensors the bytes are in. */
const LARGE_BYTES = 64 * 1024;
/** Contents of so few bytes are packed at once anyway, however many tensors there are. */
const SMALL_BYTES = 256;
/** Contents between two pauses, roughly. */
const PAUSE_BYTES = 4096;

/**
 * Turns a draft into a tensor once the whole message is read: raw bytes as they are, typed contents packed. With `late`, those of a
 * large message are not packed yet: the work is put there, and the tensor has its bytes when that is done.
 */
export function finishTensor(
  reader: WireReader,
  draft: TensorDraft,
  { limits, late }: { readonly limits: CodecLimits; readonly late: LateWork[] | undefined },
): NamedTensor {
  if (draft.bytes !== undefined && draft.contents !== undefined) {
    throw new ServeError(
      "invalid_argument",
      `input "${draft.name}" has both raw bytes and typed contents; send one`,
      {
        reason: "both_contents",
      },
    );
  }
  if (draft.place !== undefined && (draft.bytes !== undefined || draft.contents !== undefined)) {
    throw new ServeError(
      "invalid_argument",
      `input "${draft.name}" lies in shared memory and has data in the message as well; send one`,
      { reason: "both_contents" },
    );
  }
  const { name, datatype, shape, contents } = draft;
  const tensor = { name, datatype, shape, bytes: draft.bytes ?? EMPTY };
  if (draft.bytes !== undefined || contents === undefined) return tensor;
  const packing = packContents(new WireReader(reader.bytes), contents, draft, limits);
  if (late === undefined || reader.bytes.length < LARGE_BYTES || lengthOf(contents) < SMALL_BYTES)
    tensor.bytes = packedAtOnce(packing);
  else late.push(lateContents(packing, tensor));
  return tensor;
}

function lengthOf(spans: readonly number[]): number {
  let length = 0;
  for (let i = 0; i < spans.length; i += 2) length += spans[i + 1]! - spans[i]!;
  return length;
}

function lateContents(packing: Packing, tensor: { bytes: Uint8Array }): LateWork {
  return {
    step(amount) {
      for (let left = amount; left > 0; left -= PAUSE_BYTES) {
        const { done, value } = packing.next();
        if (done !== true) continue;
        tensor.bytes = value;
        return true;
      }
      return false;
    },
  };
}

/** A tensor of an answer. */
export interface WireTensor extends NamedTensor {
  /** Its bytes were written to shared memory, and are not in the answer. */
  readonly isPlaced?: boolean;
}

/** Bytes of a tensor's fields 1–3, without tag and length. */
export function tensorHeadSize(tensor: NamedTensor): number {
  const shapeBytes = dimsSize(tensor.shape);
  const nameBytes = textSize(tensor.name);
  return (
    (nameBytes === 0 ? 0 : fieldSize(nameBytes)) +
    fieldSize(tensor.datatype.length) +
    (shapeBytes === 0 ? 0 : fieldSize(shapeBytes))
  );
}

export function writeTensorHead(writer: WireWriter, tensor: NamedTensor): void {
  writer.text(1, tensor.name, textSize(tensor.name));
  writer.text(2, tensor.datatype, tensor.datatype.length);
  if (tensor.shape.length === 0) return;
  writer.open(3, dimsSize(tensor.shape));
  for (let i = 0; i < tensor.shape.length; i++) writer.varint(tensor.shape[i]!);
}

function dimsSize(shape: readonly number[]): number {
  let size = 0;
  for (let i = 0; i < shape.length; i++) size += varintSize(shape[i]!);
  return size;
}
