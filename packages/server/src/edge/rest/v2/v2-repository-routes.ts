import { abortSignalOf } from "../../../base/call-signal.ts";
import { readLoadParameters, readUnloadParameters } from "../../control-parameters.ts";
import { loadModel } from "../../load-model.ts";
import { unloadModels } from "../../unload-models.ts";
import { readBody } from "../call/body.ts";
import { JSON_TYPE, type RestCall } from "../call/rest-call.ts";
import type { Route, RouteParams } from "../call/route.ts";
import { readEnvelope } from "../json/envelope.ts";
import { optionalBoolean } from "../json/fields.ts";
import { admittedModel, readControlBody } from "./control-body.ts";

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
  call.sendShared(JSON_TYPE, await (onlyReady ? readyIndex : index).get());
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
