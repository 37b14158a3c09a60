import type { Task, TaskPart } from "../../../base/task.ts";
import { JSON_TYPE, type RestCall } from "../call/rest-call.ts";
import { mediaType, readMultipart } from "../json/form-fields.ts";

/** Answers a call for what a model is for. The body is taken as it is: what it means is found out in the task's worker. */
export async function runTask(call: RestCall, body: Buffer, task: Task): Promise<void> {
  const { signal, timeline, tenant, routeKey } = call;
  const deadlineMs = call.takeDeadline(new Map());
  const parts = partsOf(body, call.request.headers["content-type"] ?? "");
  const response = await task.run({ parts, priority: 0, deadlineMs, signal, tenant, routeKey, timeline });
  call.sendInference(response, { body: response.body, type: JSON_TYPE });
}

function partsOf(body: Buffer, contentType: string): readonly TaskPart[] {
  const type = mediaType(contentType);
  if (type === "multipart/form-data") return readMultipart(body, contentType);
  return [{ name: "", type, bytes: body }];
}
