import { outputBytes } from "../../../base/infer-request.ts";
import type { TensorSpec } from "../../../base/signature.ts";
import { wireShape } from "../../../base/signature.ts";
import { askedModelOf, modelOf } from "../call/asked-model.ts";
import { JSON_TYPE, type RestCall } from "../call/rest-call.ts";
import { type RestDialect, runInference } from "../call/rest-inference.ts";
import type { Route, RouteParams } from "../call/route.ts";
import { bad } from "../json/fields.ts";
import { modelUrls } from "./model-urls.ts";
import { V2Memory } from "./v2-memory.ts";
import { readRawRequest } from "./v2-raw-request.ts";
import { readV2Request, type V2Request } from "./v2-request.ts";
import { createV2Encoder } from "./v2-response.ts";

/** The Open Inference Protocol v2 with Triton's binary tensors; health bodies as KServe's clients read them. */
export function v2Routes(): readonly Route[] {
  const dialect = v2Dialect();
  return [
    {
      method: "GET",
      urls: ["/v2", "/v2/"],
      run: (call) => call.sendJson(200, call.context.inference.serverMetadata()),
    },
    { method: "GET", urls: ["/v2/health/live", "/livez", "/healthz"], needs: "nothing", run: answerLive },
    { method: "GET", urls: ["/v2/health/ready", "/readyz", "/ping"], needs: "nothing", run: answerReady },
    { method: "GET", urls: ["/v2/models"], run: answerModels },
    { method: "GET", urls: modelUrls(""), run: answerMetadata },
    { method: "GET", urls: modelUrls("/ready"), run: answerModelReady },
    {
      method: "POST",
      urls: modelUrls("/infer"),
      run: (call, params) => runInference(call, askedModelOf(call, params), dialect),
    },
  ];
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

function v2Dialect(): RestDialect<V2Request> {
  const encode = createV2Encoder();
  const memory = new V2Memory();
  return {
    needsInputs: (call, body) => body.length > 0 && jsonLength(call, body) === 0,
    decode(call, body, inputs) {
      if (inputs !== undefined) return readRawRequest(body, inputs);
      const { limits } = call.context;
      const jsonBytes = jsonLength(call, body);
      const model = call.model!;
      const known = jsonBytes === body.length ? memory.recall(model, body, limits) : undefined;
      if (known !== undefined) return known;
      const request = call.workOff(jsonBytes, readV2Request(body, jsonBytes, limits));
      if (!(request instanceof Promise)) memory.keep(model, body, request);
      return request;
    },
    encode: (call, response, { forms }) => call.workOff(outputBytes(response), encode(response, forms)),
  };
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
