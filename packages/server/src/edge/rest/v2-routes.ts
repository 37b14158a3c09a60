import { ServeError } from "../../base/errors.ts";
import type { InferResponse, ParameterValue } from "../../base/infer-request.ts";
import type { TensorSpec } from "../../base/signature.ts";
import { wireShape } from "../../base/signature.ts";
import { checkModelName, checkModelVersion } from "../../gate/model-name.ts";
import { parsePriority } from "../../gate/priority.ts";
import { bad } from "./fields.ts";
import { type ModelName, readInferenceBody } from "./inference-body.ts";
import { BINARY_TYPE, JSON_TYPE, type RestCall } from "./rest-call.ts";
import type { Route, RouteParams } from "./route.ts";
import { readTimeouts } from "./timeouts.ts";
import { readRawRequest } from "./v2-raw-request.ts";
import { readV2Request, type V2Request } from "./v2-request.ts";
import { createV2Encoder, type V2Encoder } from "./v2-response.ts";

/** The Open Inference Protocol v2 with Triton's binary tensors; health bodies as KServe's clients read them. */
export function v2Routes(): readonly Route[] {
  const encode = createV2Encoder();
  const infer = (call: RestCall, params: RouteParams): Promise<void> => answerInfer(call, params, encode);
  return [
    {
      method: "GET",
      urls: ["/v2", "/v2/"],
      run: (call) => call.sendJson(200, call.context.inference.serverMetadata()),
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

function answerLive(call: RestCall): void {
  const live = call.context.inference.isLive();
  call.sendJson(live ? 200 : call.context.notReadyStatus, { live });
}

/** The body serves both the protocol's text (`live`) and KServe's client, which reads `ready`. */
function answerReady(call: RestCall): void {
  const { inference, isDraining, notReadyStatus } = call.context;
  const ready = inference.isReady() && !isDraining();
  call.sendJson(ready ? 200 : notReadyStatus, { live: inference.isLive(), ready });
}

async function answerModels(call: RestCall): Promise<void> {
  call.send(200, JSON_TYPE, await call.context.shared.modelNames.get());
}

function answerMetadata(call: RestCall, params: RouteParams): void {
  const [name, version] = modelOf(params);
  const {
    inputs,
    outputs,
    platform,
    versions,
    name: known,
  } = call.context.inference.modelMetadata(name, version);
  call.sendJson(200, {
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

function answerModelReady(call: RestCall, params: RouteParams): void {
  const [name, version] = modelOf(params);
  const ready = call.context.inference.isModelReady(name, version) && !call.context.isDraining();
  call.sendJson(ready ? 200 : call.context.notReadyStatus, { name, ready });
}

function answerInfer(call: RestCall, params: RouteParams, encode: V2Encoder): Promise<void> {
  call.model = params["model"];
  const named = modelOf(params);
  return inferBody(call, readInferenceBody(call, named), { named, encode });
}

async function inferBody(
  call: RestCall,
  arriving: Promise<Buffer>,
  { named: [model, version], encode }: { readonly named: ModelName; readonly encode: V2Encoder },
): Promise<void> {
  const { inference, clock } = call.context;
  const body = await arriving;
  call.timeline.bodyMs = clock.nowMs();
  const jsonBytes = jsonLength(call, body);
  const request =
    jsonBytes === 0 && body.length > 0
      ? readRawRequest(body, await inference.acquireInputs(model, version, call.signal))
      : await readV2Request(body, jsonBytes, call.reading(jsonBytes));
  const response = await inference.infer({
    model,
    version,
    id: request.id,
    inputs: request.inputs,
    outputs: request.outputs,
    parameters: request.parameters,
    priority: takePriority(request.parameters),
    deadlineMs: readTimeouts(call, request.parameters),
    signal: call.signal,
    tenant: call.tenant,
    timeline: call.timeline,
  });
  await sendInferResponse(call, response, { request, encode });
}

async function sendInferResponse(
  call: RestCall,
  response: InferResponse,
  { request, encode }: { readonly request: V2Request; readonly encode: V2Encoder },
): Promise<void> {
  const { json, binary } = await encode(response, request.forms, call.context.slicer);
  if (binary.length === 0) call.sendInference(response, { body: json, type: JSON_TYPE });
  else
    call.sendInference(response, {
      body: [json, ...binary],
      type: BINARY_TYPE,
      jsonBytes: json.length,
    });
}

/** How much of the body is JSON: all of it, or what `Inference-Header-Content-Length` says (0: no JSON, the body is one raw tensor). */
function jsonLength(call: RestCall, body: Buffer): number {
  const header = call.request.headers["inference-header-content-length"];
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
