import { ServeError } from "../../../base/errors.ts";
import type { Task, TaskResponse } from "../../../base/task.ts";
import { checkModelName } from "../../../gate/model-name.ts";
import { defaultModelOf } from "../../default-model.ts";
import { readBody } from "../call/body.ts";
import { type ErrorResponse, errorResponse } from "../call/error-response.ts";
import { JSON_TYPE, type RestCall } from "../call/rest-call.ts";
import { bad } from "../json/fields.ts";
import { cutEmbeddings } from "./worker-embeddings.ts";

const TASK = "feature-extraction";
/** A body of texts is read in one go. */
const MAX_BODY_BYTES = 2 * 1024 * 1024;
/** As OpenAI has it. */
const MAX_TEXTS = 2048;
/** What one run of a task takes. */
const TEXTS_AT_ONCE = 256;
const KNOWN: ReadonlySet<string> = new Set(["model", "input", "encoding_format", "user", "dimensions"]);

/** A text, or the model's own tokens by their numbers. */
type EmbeddingInput = string | readonly number[];

interface EmbeddingsRequest {
  readonly model: string | undefined;
  readonly inputs: readonly EmbeddingInput[];
  readonly format: "float" | "base64" | undefined;
  /** Undefined: as many as the model gives. */
  readonly dimensions: number | undefined;
}

/** `{"model", "input"}` → `{"data": [{"embedding"}], "usage"}`. Rejects with ServeError; errors are spelled as OpenAI does. */
export async function runEmbeddings(call: RestCall): Promise<void> {
  call.spellError = spellOpenaiError;
  const { context, timeline } = call;
  const body = await readBody(call);
  timeline.bodyMs = context.clock.nowMs();
  const { model = defaultModelOf(context, inBody), ...wishes } = readRequest(body);
  const { inputs } = wishes;
  call.ask(model, {});
  checkModelName(model);
  const task = await taskOf(call, model);
  const pieces: Buffer[] = [];
  let [count, tokens] = [0, 0];
  let answeredBy: TaskResponse | undefined;
  for (let at = 0; at < inputs.length; at += TEXTS_AT_ONCE) {
    const some = inputs.slice(at, at + TEXTS_AT_ONCE);
    answeredBy = await embed(call, task, { ...wishes, inputs: some });
    const { body: answer } = answeredBy;
    call.grow(answer.length);
    const embedded = cutEmbeddings(Buffer.from(answer.buffer, answer.byteOffset, answer.length), some.length);
    tokens += embedded.tokens;
    for (const vector of embedded.vectors) {
      pieces.push(
        Buffer.from(`${count === 0 ? "" : "},"}{"object":"embedding","index":${count},"embedding":`),
      );
      pieces.push(vector);
      count += 1;
    }
  }
  const usage = JSON.stringify({ prompt_tokens: tokens, total_tokens: tokens });
  const [first, last] = [
    '{"object":"list","data":[',
    `}],"model":${JSON.stringify(model)},"usage":${usage}}`,
  ];
  call.sendInference(answeredBy!, {
    body: [Buffer.from(first), ...pieces, Buffer.from(last)],
    type: JSON_TYPE,
  });
}

const inBody = (name: string): string => `"model": "${name}"`;

function embed(
  call: RestCall,
  task: Task,
  { inputs, dimensions, format: encoding_format }: Omit<EmbeddingsRequest, "model">,
): Promise<TaskResponse> {
  const { signal, timeline, tenant, routeKey } = call;
  const bytes = Buffer.from(
    JSON.stringify({ inputs, parameters: { embedding: true, dimensions, encoding_format } }),
  );
  const parts = [{ name: "", type: JSON_TYPE, bytes }];
  const deadlineMs = call.takeDeadline(new Map());
  return task.run({ parts, priority: 0, deadlineMs, signal, tenant, routeKey, timeline });
}

/** Throws `not_found`, and `invalid_argument` for a model that is for something else. */
async function taskOf(call: RestCall, model: string): Promise<Task> {
  const { inference } = call.context;
  let door = inference.door(model, undefined);
  if (door === undefined) {
    await inference.acquireInputs(model, undefined, call.signal);
    door = inference.door(model, undefined);
  }
  const rejection = door?.rejectEarly(call);
  if (rejection !== undefined) throw rejection;
  const task = door?.task;
  if (task?.name === TASK) return task;
  throw bad("model", `"${model}" makes no embeddings; a model does whose model.yaml says task: ${TASK}`);
}

function readRequest(body: Buffer): EmbeddingsRequest {
  if (body.length > MAX_BODY_BYTES) {
    throw new ServeError(
      "resource_exhausted",
      `texts of ${MAX_BODY_BYTES} bytes are taken at once; send fewer`,
      {
        reason: "body_too_large",
      },
    );
  }
  let value: unknown;
  try {
    // Windows' shells begin a file with a mark, which is no part of the text.
    value = JSON.parse(body.toString().replace(/^\uFEFF/, ""));
  } catch {
    throw new ServeError("invalid_argument", 'the body is not JSON; expected {"model", "input"}', {
      reason: "bad_json",
    });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw bad("body", 'expected an object: {"model", "input"}');
  const given = new Map<string, unknown>(Object.entries(value));
  for (const [key, wish] of given)
    if (wish !== null && !KNOWN.has(key)) throw bad(key.slice(0, 64), "there is no such field");
  const [model, format, dimensions] = ["model", "encoding_format", "dimensions"].map(
    (key) => given.get(key) ?? undefined,
  );
  if (model !== undefined && typeof model !== "string") throw bad("model", "expected the name of a model");
  if (format !== undefined && format !== "float" && format !== "base64")
    throw bad("encoding_format", "expected float or base64");
  if (
    dimensions !== undefined &&
    !(typeof dimensions === "number" && Number.isSafeInteger(dimensions) && dimensions > 0)
  )
    throw bad("dimensions", "expected a whole number from 1 on");
  return { model, inputs: inputsOf(given.get("input")), format, dimensions };
}

/** A list of numbers is one input, as OpenAI has it. */
function inputsOf(input: unknown): readonly EmbeddingInput[] {
  const isOne = !Array.isArray(input) || typeof input[0] === "number";
  const list: readonly unknown[] = isOne ? [input] : input;
  if (list.length === 0 || list.length > MAX_TEXTS)
    throw bad("input", `expected a text, or a list of 1 to ${MAX_TEXTS}, got ${list.length}`);
  return list.map((item, i) => {
    const field = isOne ? "input" : `input[${i}]`;
    if (Array.isArray(item)) {
      if (item.length === 0 || !item.every((id) => Number.isSafeInteger(id) && id >= 0))
        throw bad(field, "expected tokens of this model as whole numbers from 0 on");
      return item as number[];
    }
    if (typeof item !== "string" || item === "") throw bad(field, "expected a text that is not empty");
    return item;
  });
}

function spellOpenaiError(error: ServeError, random: () => number): ErrorResponse {
  const spelled = errorResponse(error, random);
  const type = spelled.status >= 500 ? "server_error" : "invalid_request_error";
  const { message, reason } = error;
  return {
    ...spelled,
    body: Buffer.from(JSON.stringify({ error: { message, type, param: null, code: reason } })),
  };
}
