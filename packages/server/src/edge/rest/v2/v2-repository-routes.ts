import { abortSignalOf } from "../../../base/call-signal.ts";
import { checkModelName } from "../../../gate/model-name.ts";
import { FILE_PREFIX, readLoadParameters, readUnloadParameters } from "../../control-parameters.ts";
import { loadModel } from "../../load-model.ts";
import { unloadModels } from "../../unload-models.ts";
import { readBody } from "../call/body.ts";
import { JSON_TYPE, type RestCall } from "../call/rest-call.ts";
import type { Route, RouteParams } from "../call/route.ts";
import { readEnvelope } from "../json/envelope.ts";
import { bad, type JsonObject, optionalBoolean, optionalObject } from "../json/fields.ts";
import type { Pattern, Span } from "../json/json-scan.ts";
import { readParameters } from "../json/parameters.ts";

/** Triton's model repository extension: what there is, and load and unload for the administrator. */
export function v2RepositoryRoutes(): readonly Route[] {
  return [
    { method: "POST", urls: ["/v2/repository/index"], run: answerIndex },
    { method: "POST", urls: ["/v2/repository/models/:model/load"], needs: "admin", run: answerLoad },
    { method: "POST", urls: ["/v2/repository/models/:model/unload"], needs: "admin", run: answerUnload },
  ];
}

async function answerIndex(call: RestCall): Promise<void> {
  const body = await readBody(call);
  const onlyReady = body.length > 0 && (await readReadyFlag(call, body));
  const { index, readyIndex } = call.context.shared;
  call.send(200, JSON_TYPE, await (onlyReady ? readyIndex : index).get());
}

async function readReadyFlag(call: RestCall, body: Buffer): Promise<boolean> {
  const whole = {
    span: { start: 0, end: body.length },
    pattern: {},
    expected: '{"ready": true} or an empty body',
  };
  const { value } = await call.workOff(body.length, readEnvelope(body, whole, call.context.limits));
  return optionalBoolean(value, "ready", "ready") ?? false;
}

/** The answers are KServe's; Triton's are empty, and its clients do not look. */
async function answerLoad(call: RestCall, params: RouteParams): Promise<void> {
  const name = admittedModel(call, params);
  const { values } = await readControlBody(call);
  const { administration, readLoadConfig } = call.context;
  const wanted = readLoadParameters(values(), {
    readConfig: readLoadConfig,
    takesFiles: administration.uploadModel !== undefined,
  });
  call.takeDeadline(new Map());
  await loadModel(administration, name, { ...wanted, signal: abortSignalOf(call.signal) });
  call.sendJson(200, { name, load: true });
}

async function answerUnload(call: RestCall, params: RouteParams): Promise<void> {
  const name = admittedModel(call, params);
  const { values } = await readControlBody(call);
  const withDependents = readUnloadParameters(values());
  call.takeDeadline(new Map());
  await unloadModels(call.context, name, { signal: abortSignalOf(call.signal), withDependents });
  call.sendJson(200, { name, unload: true });
}

/** The model in the URL, if the caller is an administrator. Any other caller learns nothing, and its body is not read. */
function admittedModel(call: RestCall, params: RouteParams): string {
  call.context.adminGate.admit(call.credentials);
  const name = params["model"] ?? "";
  checkModelName(name);
  return name;
}

interface ControlParameters {
  /** Throws `invalid_argument` for a value that is neither text, number nor boolean. */
  values(): ReadonlyMap<string, unknown>;
}

const PATTERN: Pattern = { keys: { parameters: { anyKey: { capture: true } } } };

async function readControlBody(call: RestCall): Promise<ControlParameters> {
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
