import { showShape } from "@sconce/protocol";
import { ServeError } from "../../../base/errors.ts";
import type { Dim, TensorSpec } from "../../../base/signature.ts";
import { wireShape } from "../../../base/signature.ts";
import type { NamedTensor } from "../../../base/tensor.ts";
import { tensorIndex } from "../../../infer/tensor-index.ts";
import type { RestLimits } from "../../rest-limits.ts";
import type { Work } from "../../time-slicer.ts";
import type { DecodedRequest } from "../call/rest-inference.ts";
import { readEnvelope } from "../json/envelope.ts";
import { bad, optionalObject, ownValue } from "../json/fields.ts";
import type { Pattern, Span } from "../json/json-scan.ts";
import { NONE, readParameters } from "../json/parameters.ts";
import { readPlainNumbers } from "../json/plain-numbers.ts";
import { readTensor } from "../json/tensor-decoder.ts";

/** The inputs of a `/predict` request, shaped and typed as the model's signature says. */
export interface PredictRequest extends DecodedRequest {
  /** One row came without its batch dimension; the response goes back without it too. */
  readonly unbatched: boolean;
}

/** What reading a body needs of its call. */
interface ReadingCall {
  readonly context: { readonly limits: RestLimits };
  workOff<T>(bytes: number, work: Work<T>): T | Promise<T>;
}

const PATTERN: Pattern = {
  keys: { input: { capture: true }, parameters: { anyKey: { capture: true } } },
};
const NAMED: Pattern = { anyKey: { capture: true } };
const OPEN_BRACE = 0x7b;

/**
 * Decodes `{"input": value}` for a model with one input, or `{"input": {name: value, …}}`. Datatypes come from the signature, shapes from the
 * nesting; a single row may leave out the batch dimension. `parameters` beside it are those of v2. Throws `invalid_argument` naming the field and what was expected.
 */
export function readPrediction(
  call: ReadingCall,
  body: Buffer,
  specs: readonly TensorSpec[],
): PredictRequest | Promise<PredictRequest> {
  const { limits } = call.context;
  const plain = readPlainRequest(body, specs, limits);
  return plain ?? call.workOff(body.length, readPredictRequest(body, specs, limits));
}

const PLAIN_START = Buffer.from('{"input":');
const CLOSE_BRACE = 0x7d;

/** `{"input": [numbers]}` and nothing else, for a model with one input. Undefined: the body is to be read in the general way. */
function readPlainRequest(
  body: Buffer,
  specs: readonly TensorSpec[],
  limits: RestLimits,
): PredictRequest | undefined {
  const [spec] = specs;
  const [start, end] = [PLAIN_START.length, body.length - 1];
  if (spec === undefined || specs.length > 1 || end < start || body[end] !== CLOSE_BRACE) return undefined;
  if (body.compare(PLAIN_START, 0, start, 0, start) !== 0) return undefined;
  const tensor = readPlainNumbers(
    body,
    { start, end },
    { datatype: spec.datatype, shape: undefined },
    limits,
  );
  if (tensor === undefined) return undefined;
  const { datatype, shape, bytes } = tensor;
  const unbatched = lacksBatch(shape, spec, "input");
  const inputs = [{ name: spec.name, datatype, shape: unbatched ? [1, ...shape] : shape, bytes }];
  return { id: undefined, inputs, outputs: undefined, parameters: NONE, unbatched };
}

/** The same in the general way. */
export function* readPredictRequest(
  body: Buffer,
  specs: readonly TensorSpec[],
  limits: RestLimits,
): Work<PredictRequest> {
  const expected = `{"input": …} with ${describeInputs(specs)}`;
  const whole = { start: 0, end: body.length };
  const { value, spans } = yield* readEnvelope(body, { span: whole, pattern: PATTERN, expected }, limits);
  const index = ownValue(value, "input");
  if (index === undefined) throw bad("input", `missing; expected ${expected}`);
  const span = spans[index as number]!;
  const named = yield* namedSpans(body, span, { specs, limits });
  const inputs: NamedTensor[] = [];
  let rows = 0;
  for (const [i, spec] of specs.entries()) {
    const field = named.fields[i]!;
    const tensor = yield* readTensor(body, named.spans[i]!, { spec, field, limits });
    const isRow = lacksBatch(tensor.shape, spec, field);
    if (isRow) rows++;
    inputs.push(isRow ? { ...tensor, shape: [1, ...tensor.shape] } : tensor);
  }
  if (rows !== 0 && rows !== specs.length) {
    throw bad(
      "input",
      "some inputs are single rows and others have the batch dimension; give all of them the same way",
    );
  }
  const parameters = readParameters(body, optionalObject(value, "parameters", "parameters"), spans);
  return { id: undefined, inputs, outputs: undefined, parameters, unbatched: rows !== 0 };
}

interface NamedSpans {
  readonly spans: readonly Span[];
  readonly fields: readonly string[];
}

interface NamedReading {
  readonly specs: readonly TensorSpec[];
  readonly limits: RestLimits;
  /** What the values are called, for messages. Default: `input`. */
  readonly field?: string;
}

/** The bytes of each input, in signature order. Throws `invalid_argument` naming the field. */
export function* namedSpans(
  body: Buffer,
  span: Span,
  { specs, limits, field: key = "input" }: NamedReading,
): Work<NamedSpans> {
  if (body[span.start] !== OPEN_BRACE) {
    if (specs.length === 1) return { spans: [span], fields: [key] };
    throw bad(key, `this model has ${specs.length} inputs; expected an object with ${describeInputs(specs)}`);
  }
  const expected = describeInputs(specs);
  const { value, spans } = yield* readEnvelope(body, { span, pattern: NAMED, expected }, limits);
  const places = tensorIndex(specs);
  const given = new Array<Span | undefined>(specs.length).fill(undefined);
  for (const name of Object.keys(value)) {
    const place = places.get(name);
    const field = `${key}.${name.slice(0, 64)}`;
    if (place === undefined) throw bad(field, `the model has no such input; expected ${expected}`);
    if (given[place] !== undefined) throw bad(field, `"${specs[place]!.name}" is given twice`);
    given[place] = spans[ownValue(value, name) as number]!;
  }
  const fields = specs.map((spec) => `${key}.${spec.name}`);
  for (const [i, span] of given.entries()) {
    if (span === undefined) throw bad(fields[i]!, `missing; expected ${expected}`);
  }
  return { spans: given as Span[], fields }; // every place was just seen to be filled
}

/** True for a single row without the batch dimension; throws when the rank fits neither. */
function lacksBatch(shape: readonly number[], spec: TensorSpec, field: string): boolean {
  const rank = spec.dims.length;
  if (shape.length === rank || spec.isRankFree === true) return false;
  const canLack = rank > 0 && isBatch(spec.dims[0]!);
  if (canLack && shape.length === rank - 1) return true;
  const full = showShape(wireShape(spec));
  const row = canLack ? ` or, for one row, ${showShape(wireShape(spec).slice(1))}` : "";
  throw new ServeError(
    "invalid_argument",
    `${field}: expected ${spec.datatype} ${full}${row}, got ${showShape(shape)}`,
    {
      reason: "bad_shape",
    },
  );
}

/** A first dimension that a request may leave out: one that it chooses, or one of size 1. */
export function isBatch(dim: Dim): boolean {
  return typeof dim !== "number" || dim === 1;
}

function describeInputs(specs: readonly TensorSpec[]): string {
  return specs.map((spec) => `"${spec.name}" (${spec.datatype} ${showShape(wireShape(spec))})`).join(", ");
}
