/** One step of a pipeline: a model, and which tensors go into it and come out. */
export interface PipelineStep {
  /** What timings and messages call it; no two steps of a pipeline share one. */
  readonly name: string;
  readonly model: string;
  /** Undefined: the version policy chooses. */
  readonly version: string | undefined;
  /** The tensor that each input of the model gets; undefined: each gets the tensor of its own name. */
  readonly inputs: ReadonlyMap<string, string> | undefined;
  /** The tensor that each output of the model becomes, others are not asked for; undefined: each becomes the tensor of its own name. */
  readonly outputs: ReadonlyMap<string, string> | undefined;
}

/** Models that run one after another, and side by side, as one model. */
export interface Pipeline {
  readonly steps: readonly PipelineStep[];
  /** The tensors that requests bring; undefined: those that no step gives. */
  readonly inputs: readonly string[] | undefined;
  /** The tensors that answers hold; undefined: those that no step takes. */
  readonly outputs: readonly string[] | undefined;
}
