/** A benchmark: prints its table through `print` and resolves with the data for its JSON file. */
export interface Suite {
  readonly summary: string;
  run(print: (line: string) => void): Promise<unknown>;
}
