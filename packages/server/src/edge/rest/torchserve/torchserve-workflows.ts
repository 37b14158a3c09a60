import type { WorkflowRequest } from "../../torchserve/run-workflow.ts";
import type { TorchserveApis } from "../../torchserve/torchserve-apis.ts";
import { failing } from "../../torchserve/torchserve-failure.ts";
import type { Workflows } from "../../torchserve/workflows.ts";
import { readBody } from "../call/body.ts";
import { JSON_TYPE, type RestCall } from "../call/rest-call.ts";
import type { Route, RouteParams } from "../call/route.ts";
import { spellAsTorchserve } from "./torchserve-call.ts";
import { handlerFields, handlerHeaders } from "./torchserve-request.ts";
import { prettyJson } from "./torchserve-response.ts";

/** What asks workflows. */
export function workflowRoutes({ workflows }: TorchserveApis): readonly Route[] {
  if (workflows === undefined) return [];
  const run: Route["run"] = (call, params) => answer(call, params, workflows);
  const urls = ["/wfpredict/:workflow"];
  return [
    { method: "POST", urls, run },
    { method: "PUT", urls, run },
  ];
}

async function answer(call: RestCall, params: RouteParams, workflows: Workflows): Promise<void> {
  spellAsTorchserve(call, {});
  const workflow = workflows.find(params["workflow"] ?? "", call.context);
  const body = await readBody(call, undefined, { takesMultipart: true });
  const { context } = call;
  const request: WorkflowRequest = {
    fields: handlerFields(body, call.request.headers["content-type"] ?? ""),
    headers: handlerHeaders(call.request.rawHeaders),
    tenant: call.tenant,
    deadlineMs: call.takeDeadline(new Map()),
    signal: call.signal,
    onHeld: (bytes) => call.grow(bytes),
  };
  // Most servers have no workflows.
  const { runWorkflow } = await import("../../torchserve/run-workflow.ts");
  call.send(200, JSON_TYPE, bodyOf(await runWorkflow(workflow, request, context)));
}

/** What the last handler gave, as it is; of several, the JSON that each gave. */
function bodyOf(given: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const [only] = given.values();
  if (given.size === 1) return only!;
  return prettyJson(Object.fromEntries([...given].map(([name, bytes]) => [name, objectOf(name, bytes)])));
}

function objectOf(name: string, bytes: Uint8Array): object {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString());
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // As what is JSON and no object.
  }
  const message = `the last steps of a workflow give objects of JSON where they are several, and ${name} gave none`;
  throw failing({ code: 500, type: "InternalServerException", message });
}
