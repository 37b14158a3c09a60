import { checkModelName } from "../../gate/model-name.ts";
import { checkUnloadParameters, refuseLoadParameters } from "../control-parameters.ts";
import { readBody } from "./body.ts";
import { readEnvelope } from "./envelope.ts";
import type { Exchange } from "./exchange.ts";
import { optionalBoolean, optionalObject } from "./fields.ts";
import type { Pattern } from "./json-scan.ts";
import { readParameters } from "./parameters.ts";
import type { Route, RouteParams } from "./route.ts";
import { readTimeouts } from "./timeouts.ts";

/** Triton's model repository extension: what there is, and load and unload for the administrator. */
export function v2RepositoryRoutes(): readonly Route[] {
  return [
    { method: "POST", urls: ["/v2/repository/index"], run: answerIndex },
    { method: "POST", urls: ["/v2/repository/models/:model/load"], run: answerLoad },
    { method: "POST", urls: ["/v2/repository/models/:model/unload"], run: answerUnload },
  ];
}

async function answerIndex(exchange: Exchange): Promise<void> {
  const body = await readBody(exchange);
  const onlyReady = body.length > 0 && (await readReadyFlag(exchange, body));
  const entries = exchange.context.inference.index().filter((entry) => !onlyReady || entry.state === "READY");
  exchange.answerJson(
    200,
    entries.map(({ name, version, state, reason }) => ({ name, version, state, reason })),
  );
}

async function readReadyFlag(exchange: Exchange, body: Buffer): Promise<boolean> {
  const whole = {
    span: { start: 0, end: body.length },
    pattern: {},
    expected: '{"ready": true} or an empty body',
  };
  const { value } = await readEnvelope(body, whole, exchange.reading(body.length));
  return optionalBoolean(value, "ready", "ready") ?? false;
}

/** The answers are KServe's; Triton's are empty, and its clients do not look. */
async function answerLoad(exchange: Exchange, params: RouteParams): Promise<void> {
  const name = admittedModel(exchange, params);
  const { names } = await readControlBody(exchange);
  refuseLoadParameters(names);
  readTimeouts(exchange, new Map());
  await exchange.context.administration.loadModel(name, exchange.signal);
  exchange.answerJson(200, { name, load: true });
}

async function answerUnload(exchange: Exchange, params: RouteParams): Promise<void> {
  const name = admittedModel(exchange, params);
  const { values } = await readControlBody(exchange);
  checkUnloadParameters(values());
  readTimeouts(exchange, new Map());
  await exchange.context.administration.unloadModel(name, exchange.signal);
  exchange.answerJson(200, { name, unload: true });
}

/** The model in the URL, if the caller is the administrator. Nobody else learns anything, nor has a body read. */
function admittedModel(exchange: Exchange, params: RouteParams): string {
  exchange.context.adminGate.admit(exchange.request.headers.authorization);
  const name = params["model"] ?? "";
  checkModelName(name);
  return name;
}

interface ControlParameters {
  readonly names: readonly string[];
  /** Throws `invalid_argument` for a value that is neither text, number nor boolean. */
  values(): ReadonlyMap<string, unknown>;
}

const PATTERN: Pattern = { keys: { parameters: { anyKey: { capture: true } } } };

async function readControlBody(exchange: Exchange): Promise<ControlParameters> {
  const body = await readBody(exchange);
  if (body.length === 0) return { names: [], values: () => new Map() };
  const whole = {
    span: { start: 0, end: body.length },
    pattern: PATTERN,
    expected: '{"parameters": {}} or an empty body',
  };
  const { value, spans } = await readEnvelope(body, whole, exchange.reading(body.length));
  const parameters = optionalObject(value, "parameters", "parameters");
  return {
    names: Object.keys(parameters ?? {}),
    values: () => readParameters(body, parameters, spans),
  };
}
