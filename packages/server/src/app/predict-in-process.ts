import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import { type InferResponse, outputBytes, type Parameters } from "../base/infer-request.ts";
import { Timeline } from "../base/timeline.ts";
import { readPrediction } from "../edge/rest/predict/predict-request.ts";
import { encodePrediction } from "../edge/rest/predict/predict-response.ts";
import { DEFAULT_REST_LIMITS } from "../edge/rest-limits.ts";
import { type TimeSlicer, type Work, workOff } from "../edge/time-slicer.ts";
import type { Inference } from "../infer/inference.ts";

/** How a prediction is asked for; all of it may be left out. */
export interface PredictOptions {
  /** Of the model. Default: as the version policy says. */
  readonly version?: string;
  /** Gives the prediction up. */
  readonly signal?: AbortSignal;
}

/** Asks a model of this process's server, as `POST /predict/{model}` does over the network. */
export type Predict = (model: string, input: unknown, options?: PredictOptions) => Promise<unknown>;

/** A prediction by itself is a sequence from beginning to end. */
const WHOLE_SEQUENCE: Parameters = new Map([
  ["sequence_start", true],
  ["sequence_end", true],
]);

interface Parts {
  readonly inference: Inference;
  readonly clock: Clock;
  readonly slicer: TimeSlicer;
}

/** The same way as a request's, from the body on: what it means, and what is wrong with it, is the same. */
export function createPredict({ inference, clock, slicer }: Parts): Predict {
  const call = {
    context: { limits: DEFAULT_REST_LIMITS },
    workOff: <T>(bytes: number, work: Work<T>) => workOff(work, slicer.open(bytes)),
  };
  const ask = async (model: string, input: unknown, options: PredictOptions): Promise<unknown> => {
    const { version, signal = new AbortController().signal } = options;
    const timeline = new Timeline(clock.nowMs());
    const specs =
      inference.loadedInputs(model, version) ?? (await inference.acquireInputs(model, version, signal));
    timeline.bodyMs = clock.nowMs();
    const task = inference.door(model, version)?.task;
    if (task !== undefined) {
      const parts = [{ name: "", type: "application/json", bytes: bodyOf(input) }];
      const asked = { parts, priority: 0, deadlineMs: undefined, signal, tenant: undefined, timeline };
      return predictionOf((await task.run(asked)).body);
    }
    const { unbatched, ...request } = await readPrediction(call, bodyOf(input), specs);
    const { hasSequences } = inference.modelMetadata(model, version);
    const response: InferResponse = await inference.infer({
      ...request,
      ...(hasSequences === true && { parameters: WHOLE_SEQUENCE }),
      model,
      version,
      priority: 0,
      deadlineMs: undefined,
      signal,
      timeline,
    });
    const { body } = await call.workOff(outputBytes(response), encodePrediction(response, unbatched));
    return predictionOf(body);
  };
  return async (model, input, options = {}) => {
    try {
      return await ask(model, input, options);
    } catch (error) {
      throw ServeError.from(error);
    }
  };
}

function predictionOf(body: Uint8Array | readonly Uint8Array[]): unknown {
  const text = body instanceof Uint8Array ? Buffer.from(body).toString() : String(body);
  return (JSON.parse(text) as { readonly prediction: unknown }).prediction;
}

function bodyOf(input: unknown): Buffer {
  try {
    const text = JSON.stringify(input);
    if (text !== undefined) return Buffer.from(`{"input":${text}}`);
  } catch (cause) {
    throw notJson(cause);
  }
  throw notJson(undefined);
}

function notJson(cause: unknown): ServeError {
  return new ServeError(
    "invalid_argument",
    "input: expected numbers, texts, truths, and lists or an object of them, as JSON has them",
    { reason: "invalid_input", cause },
  );
}
