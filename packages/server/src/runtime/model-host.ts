import { ServeError } from "../base/errors.ts";
import type { ModelDescription } from "../base/model-description.ts";
import type { RunInput } from "../base/run.ts";
import type { Tensor } from "../base/tensor.ts";
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
  /** Inputs in signature order, as views that the model may keep; outputs in signature order. Throws ServeError. */
  run(inputs: readonly Tensor[]): Promise<HostedResult>;
}

export interface HostedResult {
  /** In pieces, written as they are; they must stay unchanged until the next run. */
  readonly outputs: readonly RunInput[];
  /** Time in the model, without conversions. */
  readonly computeMs: number;
}

/** Loads the one model of this worker. `progress` names the stage that begins. Throws ServeError. */
export type ModelLoader = (message: LoadMessage, progress: (stage: string) => void) => Promise<HostedModel>;

const badRequest = tensorFailure("worker_protocol", "a message to the worker");

/** Turns this process or thread into a worker that loads one model and runs it. */
export function hostModel(load: ModelLoader): void {
  let model: HostedModel | undefined;
  serveWorker(async (call: WorkerCall): Promise<HandlerResult> => {
    if (call.method === METHODS.load) {
      model = await load(decodeMessage<LoadMessage>(call.header), (stage) => call.note(stage));
      return {
        header: encodeMessage({ description: model.description, files: model.files } satisfies LoadedMessage),
        chunks: [],
      };
    }
    if (model === undefined || call.method !== METHODS.run) {
      throw new ServeError("internal", "the worker was asked for what it cannot do", {
        reason: "worker_protocol",
      });
    }
    const result = await model.run(decodeTensors(call.header, call.payload, badRequest).tensors);
    return encodeTensors(result.outputs, result.computeMs);
  });
}
