import { ServeError } from "../base/errors.ts";
import type { ModelDescription } from "../base/model-description.ts";
import type { RunInput } from "../base/run.ts";
import type { Tensor } from "../base/tensor.ts";
import { NO_BYTES, NO_CHUNKS } from "../worker/frame-writer.ts";
import { type HandlerResult, serveWorker, type WorkerCall } from "../worker/serve-worker.ts";
import type { FileStamp } from "./file-stamp.ts";
import {
  decodeMessage,
  encodeMessage,
  type LoadedMessage,
  type LoadMessage,
  METHODS,
} from "./model-messages.ts";
import { decodeTensors, encodeTensors, tensorFailure } from "./tensor-codec.ts";

/** A model inside its worker. */
export interface HostedModel {
  readonly description: ModelDescription;
  /** What it was read from; a run rejects with `model_file_changed` once a file is another. */
  readonly files: readonly FileStamp[];
  /**
   * Inputs in signature order, as views that are valid until the result is there; outputs in signature order. Throws, or rejects with,
   * ServeError. A result that is no promise is answered without a turn of the event loop.
   */
  run(inputs: readonly Tensor[]): HostedResult | Promise<HostedResult>;
  /** The part of the warm-up that no request should wait for. Default: it was all done while loading. Throws ServeError. */
  readonly warmUp?: () => Promise<void>;
  /** Whether a later start could be faster; see `METHODS`. */
  readonly mayOptimise?: boolean;
}

export interface HostedResult {
  /** In pieces, written as they are; they must stay unchanged until the next run. */
  readonly outputs: readonly RunInput[];
  /** Time in the model, without conversions. */
  readonly computeMs: number;
}

/** Loads the one model of this worker. `progress` names the stage that begins. Throws ServeError. */
export type ModelLoader = (message: LoadMessage, progress: (stage: string) => void) => Promise<HostedModel>;

const NOTHING: HandlerResult = { header: NO_BYTES, chunks: NO_CHUNKS };
const badRequest = tensorFailure("worker_protocol", "a message to the worker");

/** Makes later starts of a model faster. Throws ServeError. */
export type ModelOptimiser = (message: LoadMessage) => Promise<void>;

/** Turns this process or thread into a worker that loads one model and runs it, or that optimises one. */
export function hostModel(load: ModelLoader, optimise?: ModelOptimiser): void {
  let model: HostedModel | undefined;
  serveWorker((call: WorkerCall): HandlerResult | Promise<HandlerResult> => {
    if (model !== undefined && call.method === METHODS.run) return runModel(model, call);
    if (model !== undefined && call.method === METHODS.warm) return warmModel(model);
    if (call.method === METHODS.optimise && optimise !== undefined)
      return optimise(decodeMessage<LoadMessage>(call.header)).then(() => NOTHING);
    if (call.method !== METHODS.load) {
      throw new ServeError("internal", "the worker was asked for what it cannot do", {
        reason: "worker_protocol",
      });
    }
    return load(decodeMessage<LoadMessage>(call.header), (stage) => call.note(stage)).then((loaded) => {
      model = loaded;
      const { description, files, mayOptimise = false } = loaded;
      const isWarm = loaded.warmUp === undefined;
      return {
        header: encodeMessage({ description, files, isWarm, mayOptimise } satisfies LoadedMessage),
        chunks: NO_CHUNKS,
      };
    });
  });
}

function runModel(model: HostedModel, call: WorkerCall): HandlerResult | Promise<HandlerResult> {
  const result = model.run(decodeTensors(call.header, call.payload, badRequest).tensors);
  return result instanceof Promise ? result.then(encodeResult) : encodeResult(result);
}

async function warmModel(model: HostedModel): Promise<HandlerResult> {
  await model.warmUp?.();
  return NOTHING;
}

function encodeResult({ outputs, computeMs }: HostedResult): HandlerResult {
  return encodeTensors(outputs, computeMs);
}
