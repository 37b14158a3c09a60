import { ServeError } from "../../base/errors.ts";
import type { InferResponse, ParameterValue } from "../../base/infer-request.ts";
import type { TensorSpec } from "../../base/signature.ts";
import { wireShape } from "../../base/signature.ts";
import { checkModelName, checkModelVersion } from "../../gate/model-name.ts";
import { parsePriority } from "../../gate/priority.ts";
import { BINARY_TYPE, type Exchange, JSON_TYPE } from "./exchange.ts";
import { bad } from "./fields.ts";
import { type ModelName, readInferenceBody } from "./inference-body.ts";
import type { Route, RouteParams } from "./route.ts";
import { readTimeouts } from "./timeouts.ts";
import { readRawRequest } from "./v2-raw-request.ts";
import { readV2Request, type V2Request } from "./v2-request.ts";
import { createV2Encoder, type V2Encoder } from "./v2-response.ts";

/** The Open Inference Protocol v2 with Triton's binary tensors; health bodies as KServe's clients read them. */
export function v2Routes(): readonly Route[] {
  const encode = createV2Encoder();
  const infer = (exchange: Exchange, params: RouteParams): Promise<void> =>
    answerInfer(exchange, params, encode);
  return [
    {
      method: "GET",
      urls: ["/v2", "/v2/"],
      run: (exchange) => exchange.answerJson(200, exchange.context.inference.serverMetadata()),
    },
    { method: "GET", urls: ["/v2/health/live"], run: answerLive },
    { method: "GET", urls: ["/v2/health/ready"], run: answerReady },
    { method: "GET", urls: ["/v2/models"], run: answerModels },
    { method: "GET", urls: modelUrls(""), run: answerMetadata },
    { method: "GET", urls: modelUrls("/ready"), run: answerModelReady },
    { method: "POST", urls: modelUrls("/infer"), run: infer },
  ];
}

/** A model's URLs with a suffix: without and with a version. */
export function modelUrls(suffix: string): string[] {
  return [`/v2/models/:model${suffix}`, `/v2/models/:model/versions/:version${suffix}`];
}

function answerLive(exchange: Exchange): void {
  const live = exchange.context.inference.isLive();
  exchange.answerJson(live ? 200 : exchange.context.notReadyStatus, { live });
}

/** The body serves both the protocol's text (`live`) and KServe's client, which reads `ready`. */
function answerReady(exchange: Exchange): void {
  const { inference, isDraining, notReadyStatus } = exchange.context;
  const ready = inference.isReady() && !isDraining();
  exchange.answerJson(ready ? 200 : notReadyStatus, { live: inference.isLive(), ready });
}

function answerModels(exchange: Exchange): void {
  const names = new Set(exchange.context.inference.index().map((entry) => entry.name));
  exchange.answerJson(200, { models: [...names] });
}

function answerMetadata(exchange: Exchange, params: RouteParams): void {
  const [name, version] = modelOf(params);
  const {
    inputs,
    outputs,
    platform,
    versions,
    name: known,
  } = exchange.context.inference.modelMetadata(name, version);
  exchange.answerJson(200, {
    name: known,
    versions,
    platform,
    inputs: inputs.map(wireSpec),
    outputs: outputs.map(wireSpec),
  });
}

function wireSpec(spec: TensorSpec): object {
  return { name: spec.name, datatype: spec.datatype, shape: wireShape(spec) };
}

function answerModelReady(exchange: Exchange, params: RouteParams): void {
  const [name, version] = modelOf(params);
  const ready = exchange.context.inference.isModelReady(name, version) && !exchange.context.isDraining();
  exchange.answerJson(ready ? 200 : exchange.context.notReadyStatus, { name, ready });
}

function answerInfer(exchange: Exchange, params: RouteParams, encode: V2Encoder): Promise<void> {
  const named = modelOf(params);
  return inferBody(exchange, readInferenceBody(exchange, named), { named, encode });
}

async function inferBody(
  exchange: Exchange,
  arriving: Promise<Buffer>,
  { named: [model, version], encode }: { readonly named: ModelName; readonly encode: V2Encoder },
): Promise<void> {
  const { inference, clock } = exchange.context;
  const body = await arriving;
  exchange.timeline.bodyMs = clock.nowMs();
  const jsonBytes = jsonLength(exchange, body);
  const request =
    jsonBytes === 0 && body.length > 0
      ? readRawRequest(body, await inference.acquireInputs(model, version, exchange.signal))
      : await readV2Request(body, jsonBytes, exchange.reading(jsonBytes));
  const response = await inference.infer({
    model,
    version,
    id: request.id,
    inputs: request.inputs,
    outputs: request.outputs,
    parameters: request.parameters,
    priority: takePriority(request.parameters),
    deadlineMs: readTimeouts(exchange, request.parameters),
    signal: exchange.signal,
    tenant: exchange.tenant,
    timeline: exchange.timeline,
  });
  await sendInferAnswer(exchange, response, { request, encode });
}

async function sendInferAnswer(
  exchange: Exchange,
  response: InferResponse,
  { request, encode }: { readonly request: V2Request; readonly encode: V2Encoder },
): Promise<void> {
  const { json, binary } = await encode(response, request.forms, exchange.context.slicer);
  if (binary.length === 0) exchange.answerInference(response, { body: json, type: JSON_TYPE });
  else
    exchange.answerInference(response, {
      body: [json, ...binary],
      type: BINARY_TYPE,
      jsonBytes: json.length,
    });
}

/** How much of the body is JSON: all of it, or what `Inference-Header-Content-Length` says (0: no JSON, the body is one raw tensor). */
function jsonLength(exchange: Exchange, body: Buffer): number {
  const header = exchange.request.headers["inference-header-content-length"];
  if (header === undefined) return body.length;
  const field = "Inference-Header-Content-Length";
  if (typeof header !== "string" || header.length > 15 || !/^[0-9]+$/.test(header)) {
    throw bad(field, "expected the length of the JSON part in bytes");
  }
  const length = Number(header);
  if (length > body.length)
    throw bad(field, `${length} bytes of JSON announced, but the body has ${body.length}`);
  return length;
}

function takePriority(parameters: Map<string, ParameterValue>): number {
  const priority = parsePriority(parameters.get("priority"));
  parameters.delete("priority");
  return priority;
}

/** The model and version that a URL names. Throws `not_found` for names that no model can have. */
export function modelOf(params: RouteParams): ModelName {
  const name = params["model"];
  if (name === undefined) throw new ServeError("not_found", "the URL names no model");
  checkModelName(name);
  return [name, checkModelVersion(params["version"])];
}
