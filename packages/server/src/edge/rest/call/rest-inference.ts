import type {
  InferRequest,
  InferResponse,
  ParameterValue,
  ResponsePiece,
} from "../../../base/infer-request.ts";
import type { ResultReceiver } from "../../../base/result-receiver.ts";
import type { TensorSpec } from "../../../base/signature.ts";
import type { Task } from "../../../base/task.ts";
import { parsePriority } from "../../../gate/priority.ts";
import { readBody } from "./body.ts";
import { explainBody, foreignType, type InferenceTarget, unsupported } from "./foreign-body.ts";
import type { InferenceBody, RestCall } from "./rest-call.ts";

export type ModelName = readonly [name: string, version: string | undefined];

/** An inference as a dialect read it from a body, not yet compared with the model's signature. */
export interface DecodedRequest extends Pick<InferRequest, "id" | "inputs" | "outputs" | "classify"> {
  /** What the dialect did not understand itself; priority and timeout are taken out. */
  readonly parameters: Map<string, ParameterValue>;
}

/** One way to spell inferences over HTTP. What is small is read and written at once, without a promise. */
export interface RestDialect<Request extends DecodedRequest> {
  /** Bodies of any kind are for the model to read: none is refused for what its header says it is. */
  readonly takesAnyBody?: boolean;
  /** Answers for a model that has a task, whose bodies are not tensors. Default: tensors they are. */
  runTask?(call: RestCall, body: Buffer, task: Task): Promise<void>;
  /** Whether this body can only be read by what the model takes. */
  needsInputs(call: RestCall, body: Buffer): boolean;
  /** `inputs`: what the model takes, when it was needed. Throws `invalid_argument` naming the field. */
  decode(call: RestCall, body: Buffer, inputs: readonly TensorSpec[] | undefined): Request | Promise<Request>;
  /** A piece of an answer, where its model gives pieces; the status and headers of the first one count. Default: nobody wants them. */
  encodePiece?(piece: ResponsePiece): InferenceBody;
  encode(call: RestCall, response: InferResponse, request: Request): InferenceBody | Promise<InferenceBody>;
}

/**
 * Answers a call for an inference. Throws at once, before the body costs anything, for an
 * unknown model and for one whose queue has no room; all later errors answer the call.
 */
export function runInference<Request extends DecodedRequest>(
  call: RestCall,
  model: ModelName,
  dialect: RestDialect<Request>,
): void {
  new RestInference(call, model, dialect).run();
}

/**
 * One inference from its body to its response. Each step goes on in the same turn when it has nothing to wait for, which a small request
 * has nowhere but in the queue.
 */
class RestInference<Request extends DecodedRequest> implements ResultReceiver<InferResponse> {
  readonly #call: RestCall;
  readonly #model: string;
  readonly #version: string | undefined;
  readonly #dialect: RestDialect<Request>;
  #request: Request | undefined;
  /** The messages of its stream that came earlier; their order may matter. */
  #before: Promise<void> | undefined;

  constructor(call: RestCall, [model, version]: ModelName, dialect: RestDialect<Request>) {
    this.#call = call;
    this.#model = model;
    this.#version = version;
    this.#dialect = dialect;
  }

  run(): void {
    const call = this.#call;
    const door = call.context.inference.door(this.#model, this.#version);
    const { headers } = call.request;
    const { runTask } = this.#dialect;
    // A model that is not loaded yet may turn out to have a task.
    const mayHaveTask = runTask !== undefined && (door === undefined || door.task !== undefined);
    const takesAnyBody = mayHaveTask || this.#dialect.takesAnyBody === true;
    const foreign = takesAnyBody ? undefined : foreignType(headers["content-type"]);
    // Bytes that are announced as such may be anything.
    if (foreign !== undefined && headers["inference-header-content-length"] === undefined)
      throw unsupported(call, foreign, this.#target);
    const { stream } = call.transport;
    this.#before = stream?.arriving;
    const body = readBody(call, door, { takesMultipart: takesAnyBody });
    const running = body instanceof Promise ? body.then((whole) => this.#decode(whole)) : this.#decode(body);
    if (running === undefined) return;
    const submitted = running.catch((error: unknown) => this.reject(error));
    stream?.holdBack(submitted);
  }

  #decode(body: Buffer): undefined | Promise<void> {
    const call = this.#call;
    const { inference, clock, recorder } = call.context;
    call.timeline.bodyMs = clock.nowMs();
    if (recorder !== undefined) {
      const { url, headers } = call.request;
      recorder.record({ url, headers, body });
    }
    const { runTask } = this.#dialect;
    const task = runTask && inference.door(this.#model, this.#version)?.task;
    if (task !== undefined) return runTask?.(call, body, task);
    if (!this.#dialect.needsInputs(call, body)) return this.#read(body, undefined);
    const inputs = inference.loadedInputs(this.#model, this.#version);
    if (inputs !== undefined) return this.#read(body, inputs);
    const acquired = inference.acquireInputs(this.#model, this.#version, call.signal);
    return acquired.then((given) => {
      const loaded = runTask && inference.door(this.#model, this.#version)?.task;
      return loaded === undefined ? this.#read(body, given) : runTask?.(call, body, loaded);
    });
  }

  #read(body: Buffer, inputs: readonly TensorSpec[] | undefined): undefined | Promise<void> {
    let request: Request | Promise<Request>;
    try {
      request = this.#dialect.decode(this.#call, body, inputs);
    } catch (thrown) {
      throw explainBody(this.#call, thrown, body, this.#target);
    }
    const before = this.#before;
    if (request instanceof Promise) {
      return request.then(
        (read) => (before === undefined ? this.#submit(read) : before.then(() => this.#submit(read))),
        (thrown: unknown) => {
          throw explainBody(this.#call, thrown, body, this.#target);
        },
      );
    }
    if (before !== undefined) return before.then(() => this.#submit(request));
    this.#submit(request);
    return undefined;
  }

  get #target(): InferenceTarget {
    const inputs = this.#call.context.inference.loadedInputs(this.#model, this.#version);
    return { model: this.#model, inputs };
  }

  #submit(request: Request): void {
    const call = this.#call;
    const { id, inputs, outputs, classify, parameters } = request;
    this.#request = request;
    const wanted: InferRequest = {
      model: this.#model,
      version: this.#version,
      id,
      inputs,
      outputs,
      classify,
      parameters,
      priority: takePriority(parameters),
      deadlineMs: call.takeDeadline(parameters),
      signal: call.signal,
      tenant: call.tenant,
      routeKey: call.routeKey,
      stream: call.transport.stream,
      timeline: call.timeline,
      onPiece: this.#dialect.encodePiece === undefined ? undefined : this.#onPiece,
    };
    call.context.inference.submit(wanted, this);
  }

  readonly #onPiece = (piece: ResponsePiece): void => {
    try {
      this.#call.sendPiece(this.#dialect.encodePiece!(piece));
    } catch (error) {
      this.#call.fail(error);
    }
  };

  resolve(response: InferResponse): void {
    const call = this.#call;
    try {
      const body = this.#dialect.encode(call, response, this.#request!);
      if (body instanceof Promise) this.#goOn(body.then((encoded) => call.sendInference(response, encoded)));
      else call.sendInference(response, body);
    } catch (error) {
      call.fail(error);
    }
  }

  reject(error: unknown): void {
    this.#call.fail(error);
  }

  #goOn(running: undefined | Promise<void>): void {
    running?.catch((error: unknown) => this.reject(error));
  }
}

function takePriority(parameters: Map<string, ParameterValue>): number {
  if (parameters.size === 0) return 0;
  const priority = parsePriority(parameters.get("priority"));
  parameters.delete("priority");
  return priority;
}
