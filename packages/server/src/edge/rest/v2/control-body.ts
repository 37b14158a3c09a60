import type { AdminGate } from "../../../gate/admin-gate.ts";
import { checkModelName } from "../../../gate/model-name.ts";
import { FILE_PREFIX } from "../../control-parameters.ts";
import { readBody } from "../call/body.ts";
import type { RestCall } from "../call/rest-call.ts";
import type { RouteParams } from "../call/route.ts";
import { readEnvelope } from "../json/envelope.ts";
import { bad, type JsonObject, optionalObject } from "../json/fields.ts";
import type { Pattern, Span } from "../json/json-scan.ts";
import { readParameters } from "../json/parameters.ts";

/** The model in the URL, if the caller is an administrator. Any other caller learns nothing, and its body is not read. */
export function admittedModel(
  call: RestCall,
  params: RouteParams,
  gate: AdminGate = call.context.adminGate,
): string {
  gate.admit(call.credentials);
  const name = params["model"] ?? "";
  checkModelName(name);
  return name;
}

interface ControlParameters {
  /** Throws `invalid_argument` for a value that is neither text, number nor boolean. */
  values(): ReadonlyMap<string, unknown>;
}

const PATTERN: Pattern = { keys: { parameters: { anyKey: { capture: true } } } };

/** The parameters of a call that loads, unloads or steers. */
export async function readControlBody(call: RestCall): Promise<ControlParameters> {
  const body = await readBody(call);
  if (body.length === 0) return { values: () => new Map() };
  const whole = {
    span: { start: 0, end: body.length },
    pattern: PATTERN,
    expected: '{"parameters": {}} or an empty body',
  };
  const { value, spans } = await call.workOff(body.length, readEnvelope(body, whole, call.context.limits));
  const parameters = optionalObject(value, "parameters", "parameters");
  return { values: () => readValues(body, parameters, spans) };
}

function readValues(
  body: Buffer,
  parameters: JsonObject | undefined,
  spans: readonly Span[],
): ReadonlyMap<string, unknown> {
  if (parameters === undefined) return new Map();
  const isFile = ([name]: readonly [string, unknown]): boolean => name.startsWith(FILE_PREFIX);
  const entries = Object.entries(parameters);
  const plain = Object.fromEntries(entries.filter((entry) => !isFile(entry)));
  const values = new Map<string, unknown>(readParameters(body, plain, spans));
  for (const [name, index] of entries.filter(isFile))
    values.set(name, readBase64(body, spans[index as number]!, `parameters.${name.slice(0, 64)}`));
  return values;
}

/** Bytes that stand as base64 in a captured JSON string, however long. Throws `invalid_argument`/`bad_request`. */
function readBase64(body: Buffer, { start, end }: Span, field: string): Buffer {
  const json = body.toString("latin1", start, end).trim();
  // Some writers escape slashes, which base64 has.
  const text = json.startsWith('"') ? (json.includes("\\") ? unescaped(json) : json.slice(1, -1)) : undefined;
  const bytes = Buffer.from(text ?? "", "base64");
  // Node skips what is no base64.
  if (text !== undefined && Math.ceil(bytes.length / 3) === Math.ceil(text.length / 4) && BASE64.test(text))
    return bytes;
  throw bad(field, "expected a file's bytes in base64");
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

function unescaped(json: string): string | undefined {
  try {
    return JSON.parse(json) as string;
  } catch {
    return undefined;
  }
}
