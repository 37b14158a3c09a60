/** A step of a workflow: an archive's handler, or a function of the workflow's own code. */
export interface WorkflowNode {
  readonly name: string;
  /** Under which the server runs it. */
  readonly model: string;
  /** The archive of its handler; undefined: it is a function of the workflow's code, of the node's name. */
  readonly url: string | undefined;
  readonly workers: number;
  readonly batchSize: number;
  readonly maxBatchDelayMs: number;
  /** For one attempt. */
  readonly timeoutMs: number;
  /** After the first. */
  readonly retryAttempts: number;
  /** Whose results it gets; none: it gets the request. */
  readonly before: readonly string[];
  readonly isLeaf: boolean;
}

/** Handlers one after another, and side by side, as TorchServe's workflows are. */
export interface Workflow {
  readonly name: string;
  /** The file that it came from, as it was asked for. */
  readonly url: string;
  /** Those before others come before them. */
  readonly nodes: readonly WorkflowNode[];
  /** What nodes have that say nothing else. */
  readonly defaults: Pick<WorkflowNode, "batchSize" | "maxBatchDelayMs"> & {
    readonly minWorkers: number;
    readonly maxWorkers: number;
  };
  /** Its `dag` as TorchServe shows it. */
  readonly dag: string;
}
