import { isUtf8 } from "node:buffer";
import { packBytes, unpackBytes } from "@sconce/protocol";
import { ServeError } from "../../base/errors.ts";
import { type InferRequest, type InferResponse, NO_PARAMETERS } from "../../base/infer-request.ts";
import type { ResultReceiver } from "../../base/result-receiver.ts";
import type { Task, TaskPart } from "../../base/task.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import type { ServedModel } from "../../models/registry.ts";

/** What a model with a task takes and gives beside its tensors, over protocols of tensors: texts, or files. */
const INPUT = "input";
const OUTPUT = "output";
const MAX_INPUTS = 256;
/** Parameters that are the request's own. */
const OWN: ReadonlySet<string> = new Set([
  "timeout",
  "priority",
  "sequence_id",
  "sequence_start",
  "sequence_end",
  "binary_data_output",
  "typed_contents",
]);

/** Whether a request is one for the model's task: a single tensor of BYTES called `input`, which is none of the model's own. */
export function isTaskRequest({ inputs }: InferRequest, { task, description }: ServedModel): boolean {
  const [only] = inputs;
  if (task === undefined || inputs.length !== 1 || only!.name !== INPUT || only!.datatype !== "BYTES")
    return false;
  return !description.signature.inputs.some(
    ({ name, aliases }) => name === INPUT || aliases?.includes(INPUT) === true,
  );
}

/** Runs a task on each element of the tensor, and answers with a tensor of the same shape: what is answered for each, as JSON. */
export function submitTask(task: Task, request: InferRequest, receiver: ResultReceiver<InferResponse>): void {
  run(task, request).then(
    (response) => receiver.resolve(response),
    (error: unknown) => receiver.reject(ServeError.from(error)),
  );
}

async function run(task: Task, request: InferRequest): Promise<InferResponse> {
  const { outputs, priority, deadlineMs, signal, tenant, timeline } = request;
  const stray = outputs?.find((name) => name !== OUTPUT);
  if (stray !== undefined || request.classify !== undefined)
    throw bad(`outputs: a task's answer has one output, "${OUTPUT}", and no classes beside it`);
  const input = request.inputs[0]!; // there is one
  const elements = unpackBytes(input.bytes, `input "${INPUT}"`);
  if (elements.length === 0 || elements.length > MAX_INPUTS)
    throw bad(`input "${INPUT}": 1 to ${MAX_INPUTS} elements are taken at once, got ${elements.length}`);
  const parts = [...elements.map(partOf), ...parameterParts(request)];
  const { model, version, body } = await task.run({
    ...{ parts, priority, deadlineMs, signal, tenant, timeline },
  });
  // What this server's own worker wrote.
  const { prediction } = JSON.parse(Buffer.from(body).toString()) as { readonly prediction: unknown };
  const answers = elements.length === 1 ? [prediction] : (prediction as readonly unknown[]);
  const output: NamedTensor = {
    name: OUTPUT,
    datatype: "BYTES",
    shape: input.shape,
    bytes: packBytes(answers.map((answer) => Buffer.from(JSON.stringify(answer)))),
  };
  return { model, version, id: request.id, outputs: [output], parameters: NO_PARAMETERS, batchRows: 1 };
}

/** A field of a form: text where it can be one. */
function partOf(bytes: Uint8Array): TaskPart {
  return { name: INPUT, type: isUtf8(bytes) ? "" : "application/octet-stream", bytes };
}

function parameterParts({ parameters }: InferRequest): TaskPart[] {
  return [...parameters]
    .filter(([name]) => !OWN.has(name) && !name.startsWith("triton_"))
    .map(([name, value]) => ({ name, type: "", bytes: Buffer.from(String(value)) }));
}

function bad(message: string): ServeError {
  return new ServeError("invalid_argument", message, { reason: "invalid_input" });
}
