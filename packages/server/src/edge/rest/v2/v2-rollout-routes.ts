import { abortSignalOf } from "../../../base/call-signal.ts";
import { ServeError } from "../../../base/errors.ts";
import { ROLLOUT_ACTIONS, type RolloutCommand } from "../../../base/rollout.ts";
import { rolloutDocument } from "../../rollout-document.ts";
import type { RestCall } from "../call/rest-call.ts";
import type { Route, RouteParams } from "../call/route.ts";
import { admittedModel, readControlBody } from "./control-body.ts";

const URL = "/v2/repository/models/:model/rollout";

/** How a new version takes over: anybody may look, the administrator steers. */
export function v2RolloutRoutes(): readonly Route[] {
  return [
    { method: "GET", urls: [URL], run: answerStatus },
    { method: "POST", urls: [URL], needs: "admin", run: answerCommand },
  ];
}

function answerStatus(call: RestCall, { model = "" }: RouteParams): void {
  sendStatus(call, model);
}

async function answerCommand(call: RestCall, params: RouteParams): Promise<void> {
  const model = admittedModel(call, params, call.context.rolloutGate);
  const { values } = await readControlBody(call);
  const command = commandOf(values());
  call.takeDeadline(new Map());
  await call.context.administration.steerRollout(model, abortSignalOf(call.signal), command);
  sendStatus(call, model);
}

function sendStatus(call: RestCall, model: string): void {
  const { inference } = call.context;
  call.sendJson(200, rolloutDocument(model, inference.rolloutStatus(model)));
}

/** Throws `invalid_argument`. What belongs to `rollout` of model.yaml is looked at where that is. */
function commandOf(parameters: ReadonlyMap<string, unknown>): RolloutCommand {
  const given = new Map(parameters);
  const [asked, version] = [given.get("action"), given.get("version")];
  given.delete("action");
  given.delete("version");
  const action = ROLLOUT_ACTIONS.find((known) => known === asked);
  if (action === undefined) throw bad(`action: expected ${ROLLOUT_ACTIONS.join(", ")}`);
  const allowed = action === "start" ? undefined : action === "advance" ? ["share"] : [];
  const stray = [...given.keys()].find((key) => allowed?.includes(key) === false);
  if (stray !== undefined) throw bad(`${JSON.stringify(stray.slice(0, 80))} means nothing to ${action}`);
  if (version !== undefined && action !== "start") throw bad(`version means nothing to ${action}`);
  const settings = Object.fromEntries([...given].map(([key, value]) => [key, String(value)]));
  return { action, version: version === undefined ? undefined : String(version), settings };
}

function bad(what: string): ServeError {
  return new ServeError("invalid_argument", `parameters: ${what}`, { reason: "bad_request" });
}
