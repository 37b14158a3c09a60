export interface SuiteOptions {
  /** Another built checkout, to be measured in the same rounds. */
  readonly before: string | undefined;
  /** Only the cases whose name contains this; a suite without cases of its own takes no notice. */
  readonly only: string | undefined;
  /** As little as shows that everything works; a suite that has no such form takes no notice. */
  readonly isQuick: boolean;
  /** Which servers stand beside Sconce, with commas between them; all of them where it is undefined. */
  readonly peers?: string | undefined;
  /** What `sconce bench --json` printed about a model, in place of the suite's own. */
  readonly curve?: string | undefined;
}

/** A benchmark: prints its table through `print` and resolves with the data for its JSON file. */
export interface Suite {
  readonly summary: string;
  run(print: (line: string) => void, options: SuiteOptions): Promise<unknown>;
}
