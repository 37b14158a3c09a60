import type { ServeError } from "../../base/errors.ts";
import type { ServedModelHandle } from "../../models/served-model-handle.ts";
import type { LiveSequencesOptions } from "../sequences/live-sequences.ts";
import { PipelineModel, type PipelineModelOptions } from "./pipeline-model.ts";
import { createPipelineWithSequences } from "./pipeline-with-sequences.ts";

export interface OpenPipelineOptions extends PipelineModelOptions {
  readonly onSequenceEnd?: LiveSequencesOptions["onEnd"];
}

/** A pipeline, and what does not fit together in it; undefined: nothing that is known. */
export interface OpenedPipeline {
  readonly handle: ServedModelHandle;
  readonly problem: ServeError | undefined;
}

/** Makes one model of several, which keeps the states that they have. Owns none of them. */
export function openPipeline({ onSequenceEnd, ...options }: OpenPipelineOptions): OpenedPipeline {
  const model = new PipelineModel(options);
  const { clock } = options;
  const handle = createPipelineWithSequences(model, {
    clock,
    ...(onSequenceEnd !== undefined && { onEnd: onSequenceEnd }),
  });
  return { handle, problem: model.problem };
}
