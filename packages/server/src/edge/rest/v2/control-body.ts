import { checkModelName } from "../../../gate/model-name.ts";
import { readBody } from "../call/body.ts";
import type { RestCall } from "../call/rest-call.ts";
import type { RouteParams } from "../call/route.ts";
import { readEnvelope } from "../json/envelope.ts";
import { optionalObject } from "../json/fields.ts";
import type { Pattern } from "../json/json-scan.ts";
import { readParameters } from "../json/parameters.ts";

/** The model in the URL, if the caller is an administrator. Any other caller learns nothing, and its body is not read. */
export function admittedModel(call: RestCall, params: RouteParams): string {
  call.context.adminGate.admit(call.credentials);
  const name = params["model"] ?? "";
  checkModelName(name);
  return name;
}

export interface ControlParameters {
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
  return { values: () => readParameters(body, parameters, spans) };
}
