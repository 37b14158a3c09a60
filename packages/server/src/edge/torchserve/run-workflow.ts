import { CallSignal, type CancelSignal } from "../../base/call-signal.ts";
import type { Clock } from "../../base/clock.ts";
import { ServeError } from "../../base/errors.ts";
import { NO_PARAMETERS } from "../../base/infer-request.ts";
import { Timeline } from "../../base/timeline.ts";
import type { Workflow, WorkflowNode } from "../../base/workflow.ts";
import type { Inference } from "../../infer/inference.ts";
import { type HandlerField, handlerInputs, handlerResponse } from "./handler-call.ts";
import { failing } from "./torchserve-failure.ts";

/** What a workflow is asked. */
export interface WorkflowRequest {
  readonly fields: readonly HandlerField[];
  readonly headers: Readonly<Record<string, string>>;
  readonly tenant: string | undefined;
  readonly deadlineMs: number | undefined;
  readonly signal: CancelSignal;
  /** Told of the bytes of each result, which is held until the end; what it throws ends the run. */
  onHeld(bytes: number): void;
}

export interface WorkflowParts {
  readonly inference: Inference;
  readonly clock: Clock;
  makeId(): string;
}

/**
 * Asks the workflow's handlers, those side by side that can be, and resolves with what the last ones gave, by name. The first that fails ends it: rejects
 * in TorchServe's words, and with `cancelled` or `deadline_exceeded` as the request does.
 */
export async function runWorkflow(
  workflow: Workflow,
  request: WorkflowRequest,
  parts: WorkflowParts,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const ended = new CallSignal();
  const end = (): void => ended.abort(ServeError.from(request.signal.reason));
  if (request.signal.aborted) end();
  request.signal.addEventListener("abort", end);
  const results = new Map<string, Promise<Uint8Array>>();
  const run = async (node: WorkflowNode): Promise<Uint8Array> => {
    const fields = await fieldsOf(node, results, request);
    const result = await attempts(node, { ...request, fields, signal: ended }, parts);
    request.onHeld(result.byteLength);
    return result;
  };
  try {
    // In this order what a node waits for is there already.
    for (const node of workflow.nodes) results.set(node.name, run(node));
    await Promise.all(results.values());
    const leaves = workflow.nodes.filter(({ isLeaf }) => isLeaf);
    const given = await Promise.all(leaves.map(({ name }) => results.get(name)!));
    return new Map(leaves.map(({ name }, i) => [name, given[i]!]));
  } finally {
    request.signal.removeEventListener("abort", end);
    ended.abort(new ServeError("cancelled", "another step of the workflow failed"));
  }
}

/** What one node before gave is the body; what several gave, fields of their names. */
async function fieldsOf(
  { before }: WorkflowNode,
  results: ReadonlyMap<string, Promise<Uint8Array>>,
  { fields }: WorkflowRequest,
): Promise<readonly HandlerField[]> {
  if (before.length === 0) return fields;
  const given = await Promise.all(before.map((name) => results.get(name)!));
  return given.map((bytes, i) => ({
    name: before.length === 1 ? "body" : before[i]!,
    type: "",
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  }));
}

async function attempts(
  node: WorkflowNode,
  request: WorkflowRequest,
  parts: WorkflowParts,
): Promise<Uint8Array> {
  for (let retries = node.retryAttempts; ; retries--) {
    try {
      return await attempt(node, request, parts);
    } catch (error) {
      if (!(error instanceof NodeFailure)) throw error;
      if (retries <= 0)
        throw failing({
          code: 500,
          type: "InternalServerException",
          message: `Error executing ${node.name}`,
        });
    }
  }
}

/** The handler failed, refused the request, or took too long: its own fault, and none of the server's or the client's. */
class NodeFailure extends Error {}

async function attempt(
  { model, timeoutMs }: WorkflowNode,
  { fields, headers, tenant, deadlineMs, signal }: WorkflowRequest,
  { inference, clock, makeId }: WorkflowParts,
): Promise<Uint8Array> {
  const nowMs = clock.nowMs();
  const own = new CallSignal();
  const end = (): void => own.abort(ServeError.from(signal.reason));
  if (signal.aborted) end();
  signal.addEventListener("abort", end);
  const cancelTimer = clock.after(timeoutMs, () =>
    own.abort(
      new ServeError("deadline_exceeded", "the step of the workflow took longer than its timeout-ms"),
    ),
  );
  try {
    const response = await inference.infer({
      model,
      version: undefined,
      id: undefined,
      inputs: handlerInputs(fields, { id: makeId(), headers }),
      outputs: undefined,
      parameters: NO_PARAMETERS,
      priority: 0,
      deadlineMs,
      signal: own,
      tenant,
      timeline: new Timeline(nowMs),
    });
    const { body, isRefusal } = handlerResponse(response);
    if (isRefusal) throw new NodeFailure();
    return body;
  } catch (error) {
    const { reason } = ServeError.from(error);
    const isLate = own.aborted && !signal.aborted;
    throw error instanceof NodeFailure || reason === "model_failed" || isLate ? new NodeFailure() : error;
  } finally {
    cancelTimer();
    signal.removeEventListener("abort", end);
  }
}
