import type { TensorSpec } from "../../../base/signature.ts";
import { wireShape } from "../../../base/signature.ts";
import { askedModelOf, modelOf } from "../call/asked-model.ts";
import { JSON_TYPE, type RestCall } from "../call/rest-call.ts";
import { runInference } from "../call/rest-inference.ts";
import type { Route, RouteParams } from "../call/route.ts";
import { modelUrls } from "./model-urls.ts";
import { v2Dialect } from "./v2-dialect.ts";

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
      asks: ({ model, version }) => ({ model, version }),
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
  call.sendShared(JSON_TYPE, await call.context.shared.modelNames.get());
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
