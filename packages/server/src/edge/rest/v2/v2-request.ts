import {
  isDatatype,
  type JsonTensorDecoder,
  MAX_ID_BYTES,
  type RegionPlace,
  readPlace,
} from "@sconce/protocol";
import type { ParameterValue } from "../../../base/infer-request.ts";
import { type Datatype, elementBytes, elementCount, type NamedTensor } from "../../../base/tensor.ts";
import type { RestLimits } from "../../rest-limits.ts";
import type { Work } from "../../time-slicer.ts";
import type { DecodedRequest } from "../call/rest-inference.ts";
import { nameOf, readEnvelope } from "../json/envelope.ts";
import {
  bad,
  isCount,
  type JsonObject,
  optionalBoolean,
  optionalObject,
  optionalValue,
  ownValue,
  requiredArray,
  requiredText,
} from "../json/fields.ts";
import type { Pattern, Span } from "../json/json-scan.ts";
import { isNull, readParameters } from "../json/parameters.ts";
import { tensorDecoder } from "../json/tensor-decoder.ts";

/** How the client wants an output: as JSON data or as bytes after the JSON. */
export interface OutputForms {
  readonly binaryByDefault: boolean;
  /** Outputs that say it themselves. */
  readonly binary: ReadonlyMap<string, boolean>;
  /** Outputs that are to be written to shared memory; undefined: none. */
  readonly placed?: ReadonlyMap<string, RegionPlace> | undefined;
}

/** An infer request as it came over the wire, decoded but not yet compared with the model's signature. */
export interface V2Request extends DecodedRequest {
  readonly forms: OutputForms;
  /** Where the data of the only input lies, if it is JSON. */
  readonly data: Span | undefined;
  /** Inputs that lie in shared memory, by index; their bytes are to be read there. Undefined: none. */
  readonly placed?: ReadonlyMap<number, RegionPlace> | undefined;
}

const PATTERN: Pattern = {
  keys: {
    inputs: { isTensors: true, items: { keys: { data: { capture: true } } } },
    outputs: { isTensors: true },
    parameters: { anyKey: { capture: true } },
  },
};

const NO_BYTES = new Uint8Array(0);
const NO_FORMS: ReadonlyMap<string, boolean> = new Map();
const EXPECTED = 'a JSON object with "inputs": [{"name", "shape", "datatype", "data"}]';

/**
 * Decodes the body of a v2 infer request (Open Inference Protocol, with Triton's binary tensor extension): JSON in the first `jsonBytes`
 * bytes, then the binary inputs one after another. Binary inputs are views on `body`. Large JSON is read in slices, so that other
 * requests get their turn. Throws `invalid_argument` naming the field.
 */
export function* readV2Request(body: Buffer, jsonBytes: number, limits: RestLimits): Work<V2Request> {
  const whole = { span: { start: 0, end: jsonBytes }, pattern: PATTERN, expected: EXPECTED };
  const { value, spans } = yield* readEnvelope(body, whole, limits);
  const entries = requiredArray(value, "inputs", "inputs");
  const outputs = readOutputs(value, limits);
  const wanted = outputs?.names.length ?? 0;
  if (entries.length + wanted > limits.maxTensors) {
    throw bad(
      "inputs",
      `${entries.length} inputs and ${wanted} outputs are more than the ${limits.maxTensors} allowed together`,
    );
  }
  const request = optionalObject(value, "parameters", "parameters");
  const parameters = readParameters(body, request, spans);
  const inputs: NamedTensor[] = [];
  let tail = jsonBytes;
  let data: Span | undefined;
  let placed: Map<number, RegionPlace> | undefined;
  for (let i = 0; i < entries.length; i++) {
    const head = readHead(entries[i], `inputs[${i}]`, { body, spans, limits });
    if (head.place !== undefined) {
      placed ??= new Map();
      placed.set(i, head.place);
      inputs.push({ name: head.name, datatype: head.datatype, shape: head.shape, bytes: NO_BYTES });
    } else if (head.binaryBytes === undefined) {
      data = spans[head.data ?? -1];
      const decoder = jsonDecoder(body, spans, { head, limits });
      yield decoder;
      const { datatype, shape, bytes } = decoder.finish();
      inputs.push({ name: head.name, datatype, shape, bytes });
    } else {
      inputs.push(readBinaryInput(body, tail, head));
      tail += head.binaryBytes;
    }
  }
  if (tail !== body.length) {
    throw bad(
      "body",
      `${body.length - tail} bytes are left after the JSON and the binary inputs; check binary_data_size`,
    );
  }
  const id = optionalValue(value, "id");
  if (id !== undefined && typeof id !== "string") throw bad("id", `expected a string, got ${nameOf(id)}`);
  if (id !== undefined && Buffer.byteLength(id) > MAX_ID_BYTES) {
    throw bad("id", `expected at most ${MAX_ID_BYTES} bytes, got ${Buffer.byteLength(id)}`);
  }
  return {
    id,
    inputs,
    outputs: outputs?.names,
    classify: outputs?.classify,
    parameters,
    forms: readForms(parameters, outputs),
    data: inputs.length === 1 ? data : undefined,
    placed,
  };
}

function readForms(
  parameters: Map<string, ParameterValue>,
  { binary = NO_FORMS, placed }: Partial<WantedOutputs> = {},
): OutputForms {
  const byDefault = parameters.get("binary_data_output") ?? false;
  if (typeof byDefault !== "boolean") throw bad("parameters.binary_data_output", "expected true or false");
  parameters.delete("binary_data_output");
  return { binaryByDefault: byDefault, binary, placed };
}

interface WantedOutputs {
  readonly names: readonly string[];
  readonly binary: ReadonlyMap<string, boolean>;
  /** Undefined: no output is to be classified. */
  readonly classify: ReadonlyMap<string, number> | undefined;
  /** Undefined: none is to be written to shared memory. */
  readonly placed: ReadonlyMap<string, RegionPlace> | undefined;
}

function readOutputs(value: JsonObject, limits: RestLimits): WantedOutputs | undefined {
  if (optionalValue(value, "outputs") === undefined) return undefined;
  const entries = requiredArray(value, "outputs", "outputs");
  // An empty list means what no list means.
  if (entries.length === 0) return undefined;
  if (entries.length > limits.maxTensors) throw bad("outputs", `more than ${limits.maxTensors} outputs`);
  const names = new Set<string>();
  const binary = new Map<string, boolean>();
  const classify = new Map<string, number>();
  const placed = new Map<string, RegionPlace>();
  for (let i = 0; i < entries.length; i++) {
    const field = `outputs[${i}]`;
    const entry = asObject(entries[i], field);
    const name = requiredText(entry, "name", `${field}.name`);
    if (names.has(name)) throw bad(`${field}.name`, `output ${JSON.stringify(name)} is requested twice`);
    names.add(name);
    const parameters = optionalObject(entry, "parameters", `${field}.parameters`);
    const place = readPlaceOf(parameters, field);
    if (place !== undefined) placed.set(name, place);
    const count = parameters === undefined ? undefined : optionalValue(parameters, "classification");
    if (count !== undefined && !isCount(count))
      throw bad(`${field}.parameters.classification`, "expected how many classes, 0 or more");
    // 0 stands for the whole output, as in Triton's clients.
    if (count !== undefined && count > 0) classify.set(name, count);
    const form = optionalBoolean(parameters, "binary_data", `${field}.parameters.binary_data`);
    if (form !== undefined) binary.set(name, form);
  }
  return {
    names: [...names],
    binary,
    classify: classify.size === 0 ? undefined : classify,
    placed: placed.size === 0 ? undefined : placed,
  };
}

/** What an input says about itself, apart from its data. */
interface InputHead {
  readonly field: string;
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** Index of the captured `data`, if there is one. */
  readonly data: number | undefined;
  /** `binary_data_size`: the data lies after the JSON. */
  readonly binaryBytes: number | undefined;
  /** Where in shared memory the data lies. */
  readonly place: RegionPlace | undefined;
}

interface InputHeads {
  readonly body: Buffer;
  readonly spans: readonly Span[];
  readonly limits: RestLimits;
}

function readHead(value: unknown, field: string, { body, spans, limits }: InputHeads): InputHead {
  const entry = asObject(value, field);
  const name = requiredText(entry, "name", `${field}.name`);
  const datatype = requiredText(entry, "datatype", `${field}.datatype`);
  if (!isDatatype(datatype)) {
    throw bad(
      `${field}.datatype`,
      `${JSON.stringify(datatype.slice(0, 32))} is not a datatype; expected one such as FP32, INT64 or BYTES`,
    );
  }
  const shape = readShape(entry, `${field}.shape`, limits);
  const parameters = optionalObject(entry, "parameters", `${field}.parameters`);
  rejectClassification(parameters, field);
  const place = readPlaceOf(parameters, field);
  const binaryBytes = parameters === undefined ? undefined : optionalValue(parameters, "binary_data_size");
  if (binaryBytes !== undefined && !isCount(binaryBytes)) {
    throw bad(`${field}.parameters.binary_data_size`, "expected a number of bytes, 0 or more");
  }
  const captured = ownValue(entry, "data") as number | undefined;
  const data = captured !== undefined && isNull(body, spans[captured]!) ? undefined : captured;
  if (data !== undefined && binaryBytes !== undefined) {
    throw bad(`${field}.data`, "give either data or parameters.binary_data_size, not both");
  }
  if (place !== undefined && (data !== undefined || binaryBytes !== undefined))
    throw bad(`${field}.data`, "give either data or parameters.shared_memory_region, not both");
  return { field, name, datatype, shape, data, binaryBytes, place };
}

function readPlaceOf(parameters: JsonObject | undefined, field: string): RegionPlace | undefined {
  if (parameters === undefined) return undefined;
  return readPlace((name) => optionalValue(parameters, name), `${field}.parameters.`);
}

/** It would change what comes back, of an output: rejected rather than overlooked. */
function rejectClassification(parameters: JsonObject | undefined, field: string): void {
  if (parameters === undefined || optionalValue(parameters, "classification") === undefined) return;
  throw bad(
    `${field}.parameters.classification`,
    "an input has no classes; ask for those of an output",
    "unsupported_extension",
  );
}

/** Dimensions are whole numbers from 0 on, and their product is bounded before anybody allocates by it. */
function readShape(entry: JsonObject, field: string, limits: RestLimits): readonly number[] {
  const shape = requiredArray(entry, "shape", field);
  if (shape.length > limits.maxDims)
    throw bad(field, `${shape.length} dimensions are more than the ${limits.maxDims} allowed`);
  let elements = 1;
  for (let i = 0; i < shape.length; i++) {
    const dim = shape[i];
    if (!isCount(dim))
      throw bad(`${field}[${i}]`, `expected a whole number, 0 or more, got ${showValue(dim)}`);
    elements *= dim;
  }
  // Each element takes a byte of the body at least. Products of doubles overflow upwards, so a bound holds even when inexact.
  if (elements > limits.maxBodyBytes) {
    throw bad(
      field,
      `[${shape.join(", ")}] has more elements than a body of ${limits.maxBodyBytes} bytes can hold`,
    );
  }
  return shape as readonly number[];
}

function showValue(value: unknown): string {
  return typeof value === "number" ? String(value) : nameOf(value);
}

function jsonDecoder(
  body: Buffer,
  spans: readonly Span[],
  { head, limits }: { readonly head: InputHead; readonly limits: RestLimits },
): JsonTensorDecoder {
  const { datatype, shape, field } = head;
  if (head.data === undefined)
    throw bad(`${field}.data`, "missing; expected an array, or parameters.binary_data_size");
  return tensorDecoder(body, spans[head.data]!, { field: `${field}.data`, datatype, shape, limits });
}

function readBinaryInput(body: Buffer, start: number, head: InputHead): NamedTensor {
  const { name, datatype, shape, field } = head;
  const size = head.binaryBytes!;
  const left = body.length - start;
  if (size > left) {
    throw bad(
      `${field}.parameters.binary_data_size`,
      `${size} bytes announced, but only ${left} follow the JSON and earlier inputs`,
    );
  }
  const expected = elementCount(shape) * elementBytes(datatype);
  if (datatype !== "BYTES" && size !== expected) {
    throw bad(
      `${field}.parameters.binary_data_size`,
      `${datatype} [${shape.join(", ")}] needs ${expected} bytes, got ${size}`,
    );
  }
  return { name, datatype, shape, bytes: body.subarray(start, start + size) };
}

function asObject(value: unknown, field: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw bad(field, `expected an object, got ${nameOf(value)}`);
  }
  return value as JsonObject;
}
