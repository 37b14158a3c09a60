import { ServeError } from "../../base/errors.ts";
import type { ModelDescription } from "../../base/model-description.ts";
import type { NamedTensor, Tensor } from "../../base/tensor.ts";
import type { HostedModel, HostedResult } from "../model-host.ts";
import type { LoadMessage } from "../model-messages.ts";
import { readRequest } from "./read-request.ts";
import { SideFiles } from "./side-files.ts";
import { decodeCall, encodeFinished, encodePrepared, STAGE_SIGNATURE } from "./task-messages.ts";
import type { TaskParameters, TaskProcessor } from "./task-processor.ts";
import { makeTask } from "./task-table.ts";

/** What is remembered between a request's two stages. */
interface State {
  readonly isList: boolean;
  readonly isBare: boolean;
  readonly isText: boolean;
  readonly parameters: TaskParameters;
  /** Of each input: how many runs it takes, and what its task remembers. */
  readonly inputs: readonly { readonly runs: number; readonly state: unknown }[];
}

/** Runs of one request. */
const MAX_RUNS = 1024;

/** Makes the stages around a model; for `hostModel`. Throws ServeError `failed_precondition`. */
export async function hostTask({ spec }: LoadMessage): Promise<HostedModel> {
  const { task } = spec;
  if (task === undefined) throw new ServeError("internal", "a task's worker was asked to load a model");
  const startedMs = performance.now();
  const files = new SideFiles(spec.root, task.folders);
  if (task.name === "transform") {
    const { hostTransform } = await import("./handler/host-transform.ts");
    return hostTransform(task, files);
  }
  const processor = await makeTask(task.name, { ...task, files });
  const description: ModelDescription = {
    signature: STAGE_SIGNATURE,
    platform: "task",
    runtime: "js",
    runtimeReason: `it surrounds the model as ${task.name}`,
    parameterCount: 0,
    weightBytes: 0,
    digest: "",
    warnings: [],
    loadMs: { task: performance.now() - startedMs },
  };
  return { description, files: files.stamps, run: (message) => run(processor, message) };
}

async function run(task: TaskProcessor, message: readonly Tensor[]): Promise<HostedResult> {
  const startedMs = performance.now();
  const call = decodeCall(message);
  const outputs =
    call.kind === "prepare"
      ? await prepare(task, call.parts)
      : encodeFinished(await finish(task, call.state, call.outputs));
  return { outputs, computeMs: performance.now() - startedMs };
}

async function prepare(
  task: TaskProcessor,
  parts: Parameters<typeof readRequest>[0],
): Promise<ReturnType<typeof encodePrepared>> {
  const { inputs, isList, isBare, parameters } = readRequest(parts, task);
  const runs: (readonly NamedTensor[])[] = [];
  const states: { runs: number; state: unknown }[] = [];
  for (const input of inputs) {
    const prepared = await task.prepare(input, parameters);
    runs.push(...prepared.runs);
    if (runs.length > MAX_RUNS)
      throw new ServeError(
        "invalid_argument",
        `input: the request takes more than ${MAX_RUNS} runs of the model; send less at once`,
        { reason: "bad_request" },
      );
    states.push({ runs: prepared.runs.length, state: prepared.state });
  }
  const isText = inputs[0]?.kind === "text";
  const state: State = { isList, isBare, isText, parameters, inputs: states };
  return encodePrepared({ runs, state: Buffer.from(JSON.stringify(state)) });
}

async function finish(
  task: TaskProcessor,
  bytes: Uint8Array,
  outputs: readonly (readonly NamedTensor[])[],
): Promise<Uint8Array> {
  const read = JSON.parse(Buffer.from(bytes).toString()) as State;
  const { isList, isBare, isText, parameters, inputs } = read;
  let at = 0;
  const results: unknown[] = [];
  for (const { runs, state } of inputs) {
    results.push(await task.finish(outputs.slice(at, at + runs), { state, parameters }));
    at += runs;
  }
  const [first] = results;
  const answer = isList ? results : (task.single?.(first, { parameters, isText }) ?? first);
  return Buffer.from(JSON.stringify(isBare ? answer : { prediction: answer }));
}
