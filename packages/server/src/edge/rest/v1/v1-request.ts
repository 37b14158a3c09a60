import { showShape } from "@sconce/protocol";
import { type TensorSpec, wireShape } from "../../../base/signature.ts";
import type { NamedTensor } from "../../../base/tensor.ts";
import { tensorIndex } from "../../../infer/tensor-index.ts";
import type { RestLimits } from "../../rest-limits.ts";
import type { Work } from "../../time-slicer.ts";
import type { DecodedRequest } from "../call/rest-inference.ts";
import { readEnvelope } from "../json/envelope.ts";
import { bad, type JsonObject, optionalValue, ownValue } from "../json/fields.ts";
import type { Pattern, Span } from "../json/json-scan.ts";
import { NONE } from "../json/parameters.ts";
import { readTensor } from "../json/tensor-decoder.ts";
import { namedSpans } from "../predict/predict-request.ts";

/** An inference as TensorFlow Serving and KServe's first protocol spell it. */
export interface V1Request extends DecodedRequest {
  /** `instances`, one value for each row; otherwise `inputs`, one value for each tensor. */
  readonly isByRow: boolean;
}

const CAPTURE: Pattern = { capture: true };
const WHOLE: Pattern = { keys: { instances: CAPTURE, inputs: CAPTURE, signature_name: {} } };
const BY_NAME: Pattern = {
  keys: { instances: { items: { anyKey: CAPTURE } }, inputs: CAPTURE, signature_name: {} },
};
const EXPECTED = '{"instances": […]} or {"inputs": …}';
const SPACES: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);
const NULL = "null";
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;

/** Decodes a predict request in rows or columns, typed by the signature. Throws `invalid_argument` naming the field. */
export function* readV1Request(
  body: Buffer,
  specs: readonly TensorSpec[],
  limits: RestLimits,
): Work<V1Request> {
  const span = { start: 0, end: body.length };
  const { value, spans } = yield* readEnvelope(body, { span, pattern: WHOLE, expected: EXPECTED }, limits);
  checkSignature(value);
  const [rows, columns] = ["instances", "inputs"].map((key) => {
    const index = ownValue(value, key) as number | undefined;
    return index === undefined || isNull(body, spans[index]!) ? undefined : index;
  });
  if ((rows === undefined) === (columns === undefined))
    throw bad("body", `expected either "instances" or "inputs": ${EXPECTED}`);
  const common = { id: undefined, outputs: undefined, parameters: NONE, isByRow: rows !== undefined };
  if (rows !== undefined) {
    const inputs = yield* readRows(body, spans[rows]!, { specs, limits });
    return { ...common, inputs };
  }
  const named = yield* namedSpans(body, spans[columns!]!, { specs, limits, field: "inputs" });
  const inputs: NamedTensor[] = [];
  for (const [i, spec] of specs.entries()) {
    const tensor = yield* readTensor(body, named.spans[i]!, { spec, field: named.fields[i]!, limits });
    inputs.push(ranked(tensor, spec, named.fields[i]!));
  }
  return { ...common, inputs };
}

/** What may be left out may be null. */
function isNull(body: Buffer, { start, end }: Span): boolean {
  let at = start;
  while (at < end && SPACES.has(body[at]!)) at++;
  return body.toString("latin1", at, Math.min(end, at + NULL.length)) === NULL;
}

function checkSignature(value: JsonObject): void {
  const name = optionalValue(value, "signature_name");
  if (name === undefined || name === "" || name === "serving_default") return;
  throw bad("signature_name", "a model has one signature here: serving_default");
}

interface Reading {
  readonly specs: readonly TensorSpec[];
  readonly limits: RestLimits;
}

function* readRows(body: Buffer, span: Span, { specs, limits }: Reading): Work<NamedTensor[]> {
  if (firstOf(body, span) === OPEN_BRACE) return yield* readNamedRows(body, { specs, limits });
  const [spec] = specs;
  if (spec === undefined || specs.length > 1)
    throw bad(
      "instances",
      `this model has ${specs.length} inputs: give each row as an object of their names`,
    );
  const tensor = yield* readTensor(body, span, { spec, field: "instances", limits });
  return [ranked(tensor, spec, "instances")];
}

/** The byte that the first row begins with. */
function firstOf(body: Buffer, { start, end }: Span): number | undefined {
  if (body[start] !== OPEN_BRACKET) throw bad("instances", "expected a list, one value for each row");
  let at = start + 1;
  while (at < end && SPACES.has(body[at]!)) at++;
  return body[at];
}

function* readNamedRows(body: Buffer, { specs, limits }: Reading): Work<NamedTensor[]> {
  const whole = { span: { start: 0, end: body.length }, pattern: BY_NAME, expected: EXPECTED };
  const { value, spans } = yield* readEnvelope(body, whole, limits);
  const rows = ownValue(value, "instances") as readonly unknown[];
  const places = tensorIndex(specs);
  const parts = specs.map((): NamedTensor[] => []);
  for (const [i, row] of rows.entries()) {
    const field = `instances[${i}]`;
    if (typeof row !== "object" || row === null || Array.isArray(row))
      throw bad(field, "expected an object, as the first row is one");
    for (const key of Object.keys(row)) {
      const place = places.get(key);
      if (place === undefined) throw bad(`${field}.${key.slice(0, 64)}`, "the model has no such input");
      if (parts[place]!.length > i) throw bad(`${field}.${key.slice(0, 64)}`, "is given twice");
      const spec = specs[place]!;
      const at = spans[ownValue(row as JsonObject, key) as number]!;
      parts[place]!.push(yield* readTensor(body, at, { spec, field: `${field}.${spec.name}`, limits }));
    }
    const missing = parts.findIndex((tensors) => tensors.length <= i);
    if (missing >= 0) throw bad(`${field}.${specs[missing]!.name}`, "missing");
  }
  return specs.map((spec, i) => stacked(parts[i]!, spec));
}

function stacked(rows: readonly NamedTensor[], spec: TensorSpec): NamedTensor {
  const { shape } = rows[0]!;
  const odd = rows.findIndex((row) => String(row.shape) !== String(shape));
  if (odd >= 0)
    throw bad(
      `instances[${odd}].${spec.name}`,
      `its shape is ${showShape(rows[odd]!.shape)}, not ${showShape(shape)}`,
    );
  const bytes = Buffer.concat(rows.map((row) => row.bytes));
  const tensor = { name: spec.name, datatype: spec.datatype, shape: [rows.length, ...shape], bytes };
  return ranked(tensor, spec, "instances");
}

function ranked(tensor: NamedTensor, spec: TensorSpec, field: string): NamedTensor {
  const wanted = wireShape(spec);
  if (tensor.shape.length === wanted.length || spec.isRankFree === true) return tensor;
  throw bad(
    field,
    `expected ${spec.datatype} ${showShape(wanted)}, got ${showShape(tensor.shape)}`,
    "bad_shape",
  );
}
