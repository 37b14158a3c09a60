import { MAX_ID_BYTES, showShape } from "@sconce/protocol";
import { type TensorSpec, wireShape } from "../../../base/signature.ts";
import type { NamedTensor } from "../../../base/tensor.ts";
import { tensorIndex } from "../../../infer/tensor-index.ts";
import type { RestLimits } from "../../rest-limits.ts";
import type { Work } from "../../time-slicer.ts";
import type { DecodedRequest } from "../call/rest-inference.ts";
import { readEnvelope } from "../json/envelope.ts";
import { bad, optionalObject, optionalValue, ownValue } from "../json/fields.ts";
import type { Pattern, Span } from "../json/json-scan.ts";
import { isNull, readParameters } from "../json/parameters.ts";
import { readTensor } from "../json/tensor-decoder.ts";

const VALUE: Pattern = { capture: true };
const PATTERN: Pattern = { keys: { id: {}, parameters: { anyKey: VALUE } }, anyKey: VALUE };

/** Parameters that nobody has to know. */
const OWN_KEYS: ReadonlySet<string> = new Set(["id", "parameters"]);

/**
 * Decodes the body of a generate request (Triton's extension): a key with an input's name is that input, any other a parameter, at the top
 * and inside `parameters` alike. A value has the shape of its nesting; what is missing of the input's dimensions is 1 each. Throws
 * `invalid_argument` naming the field.
 */
export function* readGenerateRequest(
  body: Buffer,
  specs: readonly TensorSpec[],
  limits: RestLimits,
): Work<DecodedRequest> {
  const expected = `a JSON object with ${specs.map(({ name }) => `"${name}"`).join(", ")}`;
  const whole = { span: { start: 0, end: body.length }, pattern: PATTERN, expected };
  const { value, spans } = yield* readEnvelope(body, whole, limits);
  const places = tensorIndex(specs);
  const given = new Array<Span | undefined>(specs.length).fill(undefined);
  const rest: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const object of [value, optionalObject(value, "parameters", "parameters") ?? {}]) {
    for (const key of Object.keys(object)) {
      if (object === value && OWN_KEYS.has(key)) continue;
      const at = ownValue(object, key) as number;
      if (isNull(body, spans[at]!)) continue;
      const place = places.get(key);
      const isTwice = place === undefined ? key in rest : given[place] !== undefined;
      if (isTwice) throw bad(key.slice(0, 64), "is given twice");
      if (place === undefined) rest[key] = at;
      else given[place] = spans[at]!;
    }
  }
  const inputs: NamedTensor[] = [];
  for (const [i, spec] of specs.entries()) {
    const span = given[i];
    if (span === undefined) throw bad(spec.name, `missing; expected ${expected}`);
    const tensor = yield* readTensor(body, span, { spec, field: spec.name, limits });
    inputs.push({ ...tensor, shape: widened(tensor.shape, spec) });
  }
  return { id: readId(value), inputs, outputs: undefined, parameters: readParameters(body, rest, spans) };
}

function readId(value: Readonly<Record<string, unknown>>): string | undefined {
  const id = optionalValue(value, "id");
  if (id === undefined) return undefined;
  if (typeof id !== "string" || Buffer.byteLength(id) > MAX_ID_BYTES)
    throw bad("id", `expected a string of at most ${MAX_ID_BYTES} bytes`);
  return id;
}

/** With ones in front, up to the input's rank. */
function widened(shape: readonly number[], spec: TensorSpec): readonly number[] {
  const rank = wireShape(spec).length;
  if (shape.length === rank || spec.isRankFree === true) return shape;
  if (shape.length > rank)
    throw bad(spec.name, `expected ${spec.datatype} ${showShape(wireShape(spec))}, got ${showShape(shape)}`);
  return [...new Array<number>(rank - shape.length).fill(1), ...shape];
}
