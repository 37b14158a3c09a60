/** What came of one sample. `wrong` is the one unforgivable outcome; `refused` is honest when it names the ops. */
export type Verdict =
  | { readonly kind: "pass"; readonly sizes?: OtherSizes }
  | { readonly kind: "refused"; readonly ops: readonly string[]; readonly detail: string }
  /** What PyTorch answers differs from run to run, so that there is nothing to compare with. */
  | { readonly kind: "skipped"; readonly detail: string }
  | { readonly kind: "wrong"; readonly detail: string }
  | { readonly kind: "error"; readonly detail: string };

/** How many other sizes than its example's a TorchScript program was asked at, and what came of it. */
export interface OtherSizes {
  /** Answered, and equal to PyTorch. */
  readonly equal: number;
  /** PyTorch answers them, the translation does not take them. */
  readonly fixed: number;
  /** Neither answers them. */
  readonly neither: number;
  /** Answered, though PyTorch refuses them. */
  readonly lax: number;
}

/** A line that the worker process prints: it begins a sample, or it has come to a verdict. */
export type WorkerLine =
  | { readonly file: string; readonly index: number; readonly begins: string }
  | {
      readonly file: string;
      readonly index: number;
      readonly op: string;
      readonly id: string;
      readonly targets: readonly string[];
      readonly core: boolean;
      readonly verdict: Verdict;
      readonly ms: number;
    };

export type SampleResult = Extract<WorkerLine, { readonly verdict: Verdict }>;

/** What a worker process is to do: packs, each from its nth sample on. */
export interface WorkerJob {
  /** See Judging. */
  readonly withoutOptimiser: boolean;
  readonly files: readonly { readonly path: string; readonly from: number }[];
  /** Only this sample, or only samples with this op. */
  readonly sample: string | undefined;
  readonly target: string | undefined;
}
