import assert from "node:assert/strict";
import { test } from "node:test";
import { packBytes, unpackBytes } from "@sconce/protocol";
import { CallSignal } from "../../base/call-signal.ts";
import { ServeError } from "../../base/errors.ts";
import type { InferRequest, InferResponse } from "../../base/infer-request.ts";
import { ManualClock } from "../../base/manual-clock.kit.ts";
import type { Workflow, WorkflowNode } from "../../base/workflow.ts";
import type { Inference } from "../../infer/inference.ts";
import { REFUSAL_MARK } from "./handler-call.ts";
import { runWorkflow, type WorkflowRequest } from "./run-workflow.ts";

type Handler = (fields: ReadonlyMap<string, string>, request: InferRequest) => string | Promise<string>;

interface Rig {
  readonly clock: ManualClock;
  /** Models in the order in which they were asked. */
  readonly asked: string[];
  run(nodes: readonly Partial<WorkflowNode>[], request?: Partial<WorkflowRequest>): Promise<object>;
}

/** Handlers by the names of their nodes. */
function setUp(handlers: Readonly<Record<string, Handler>>): Rig {
  const clock = new ManualClock();
  const asked: string[] = [];
  const infer: Inference["infer"] = async (request) => {
    asked.push(request.model);
    const given = await handlers[request.model]!(fieldsOf(request), request);
    const isRefusal = given.startsWith("refused");
    const head = { status: 200, ...(isRefusal && { headers: { [REFUSAL_MARK]: "1" } }) };
    return responseOf(given, JSON.stringify(head));
  };
  const inference = { infer } as Pick<Inference, "infer"> as Inference;
  return {
    clock,
    asked,
    async run(nodes, request = {}) {
      const given = await runWorkflow(
        workflowOf(nodes),
        {
          fields: [{ name: "body", type: "", bytes: Buffer.from("asked") }],
          headers: { "x-own": "1" },
          tenant: undefined,
          deadlineMs: undefined,
          signal: new CallSignal(),
          onHeld: () => {},
          ...request,
        },
        { inference, clock, makeId: () => "id" },
      );
      return Object.fromEntries([...given].map(([name, bytes]) => [name, Buffer.from(bytes).toString()]));
    },
  };
}

function fieldsOf({ inputs }: InferRequest): ReadonlyMap<string, string> {
  const [body, head] = inputs.map(({ bytes, name }) => Buffer.from(unpackBytes(bytes, name)[0]!).toString());
  const { parts } = JSON.parse(head!) as { readonly parts: readonly { name: string; bytes: number }[] };
  let at = 0;
  const fields = new Map<string, string>();
  for (const { name, bytes } of parts) {
    fields.set(name, body!.slice(at, at + bytes));
    at += bytes;
  }
  return fields;
}

function responseOf(body: string, head: string): InferResponse {
  const row = (name: string, text: string) => ({
    name,
    datatype: "BYTES" as const,
    shape: [1],
    bytes: packBytes([Buffer.from(text)]),
  });
  return {
    model: "m",
    version: "1",
    id: undefined,
    outputs: [row("response", body), row("response_head", head)],
    parameters: new Map(),
    batchRows: 1,
  };
}

function workflowOf(nodes: readonly Partial<WorkflowNode>[]): Workflow {
  const of = {
    url: undefined,
    workers: 1,
    batchSize: 1,
    maxBatchDelayMs: 0,
    timeoutMs: 100,
    retryAttempts: 0,
    before: [],
  };
  const defaults = { minWorkers: 1, maxWorkers: 1, batchSize: 1, maxBatchDelayMs: 50 };
  const taken = new Set(nodes.flatMap(({ before = [] }) => before));
  return {
    name: "w",
    url: "w.war",
    nodes: nodes.map((node) => {
      const name = node.name!;
      return { ...of, name, model: name, isLeaf: !taken.has(name), ...node };
    }),
    defaults,
    dag: "",
  };
}

const failed = (): never => {
  throw new ServeError("internal", "the model raised ValueError", { reason: "model_failed" });
};
const body: Handler = (fields) => `${fields.get("body")}`;

test("a node gets what the one before it gave, several by their names, and only the last ones answer", async () => {
  const { run } = setUp({
    first: (fields) => `${fields.get("body")} 1`,
    left: (fields) => `${fields.get("body")} left`,
    right: (fields) => `${fields.get("body")} right`,
    both: (fields) => JSON.stringify([...fields]),
    aside: body,
  });
  const given = await run([
    { name: "first" },
    { name: "left", before: ["first"] },
    { name: "right", before: ["first"] },
    { name: "both", before: ["left", "right"] },
    { name: "aside", before: ["first"] },
  ]);
  const both = JSON.stringify([
    ["left", "asked 1 left"],
    ["right", "asked 1 right"],
  ]);
  assert.deepEqual(given, { both, aside: "asked 1" });
});

test("a node that fails or refuses is asked again as often as it says, and then ends the workflow", async () => {
  let left = 2;
  const { run, asked } = setUp({
    odd: (fields) => (left-- > 0 ? failed() : body(fields, {} as InferRequest)),
  });
  assert.deepEqual(await run([{ name: "odd", retryAttempts: 2 }]), { odd: "asked" });
  assert.equal(asked.length, 3);
  const never = setUp({ no: () => "refused", after: body });
  const nodes = [
    { name: "no", retryAttempts: 1 },
    { name: "after", before: ["no"] },
  ];
  await assert.rejects(never.run(nodes), { message: "Error executing no" });
  assert.deepEqual(never.asked, ["no", "no"]);
});

test("a node that takes longer than its timeout-ms failed, and its run is cancelled", async () => {
  const cancelled: unknown[] = [];
  const { run, clock } = setUp({
    slow: (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          cancelled.push(signal.reason);
          reject(signal.reason as Error);
        });
      }),
  });
  const running = run([{ name: "slow", timeoutMs: 50 }]);
  const outcome = assert.rejects(running, { message: "Error executing slow" });
  await new Promise(setImmediate);
  clock.advance(51);
  await outcome;
  assert.equal(cancelled.length, 1);
  assert.equal(clock.pendingTimers, 0);
});

test("the first failure ends what runs beside it", async () => {
  let isCancelled = false;
  const { run } = setUp({
    start: body,
    bad: failed,
    long: (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          isCancelled = true;
          reject(signal.reason as Error);
        });
      }),
  });
  const nodes = [{ name: "start" }, { name: "long", before: ["start"] }, { name: "bad", before: ["start"] }];
  await assert.rejects(run(nodes), { message: "Error executing bad" });
  assert.equal(isCancelled, true);
});

test("a client that leaves, a used-up quota and a full server end it in their own words", async () => {
  const signal = new CallSignal();
  const left = setUp({
    wait: (_, request) =>
      new Promise((_resolve, reject) => {
        request.signal.addEventListener("abort", () => reject(request.signal.reason as Error));
      }),
  });
  const running = left.run([{ name: "wait", retryAttempts: 3 }], { signal });
  const outcome = assert.rejects(running, { code: "cancelled" });
  await new Promise(setImmediate);
  signal.abort(new ServeError("cancelled", "the client left"));
  await outcome;
  assert.equal(left.asked.length, 1);
  const spent = setUp({
    full: () => {
      throw new ServeError("resource_exhausted", "too many requests", { reason: "quota_exceeded" });
    },
  });
  await assert.rejects(spent.run([{ name: "full", retryAttempts: 3 }]), { reason: "quota_exceeded" });
  assert.equal(spent.asked.length, 1);
  const held: number[] = [];
  const onHeld = (bytes: number): void => {
    held.push(bytes);
    throw new ServeError("unavailable", "no room");
  };
  await assert.rejects(setUp({ big: body }).run([{ name: "big" }], { onHeld }), { code: "unavailable" });
  assert.deepEqual(held, [5]);
});
