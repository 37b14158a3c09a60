/** What a load generator saw. Latencies in milliseconds. */
export interface LoadResult {
  readonly tool: string;
  readonly connections: number;
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Socket errors, time-outs and answers that were not 2xx / OK. */
  readonly failures: number;
  /** Processor time of the server process, per request; absent where nobody measured it. */
  readonly cpuMicros?: number;
}

/** The middle one of several runs by throughput; failures of all of them count. */
export function medianRun(runs: readonly LoadResult[]): LoadResult {
  const sorted = [...runs].sort((a, b) => a.requestsPerSecond - b.requestsPerSecond);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) throw new Error("no runs");
  return { ...middle, failures: runs.reduce((sum, run) => sum + run.failures, 0) };
}
