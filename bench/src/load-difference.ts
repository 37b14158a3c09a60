/** What a client saw, and what a request cost it and the server, in microseconds of processor time. */
export interface Figures {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly clientMicros: number;
  readonly serverMicros: number;
}

/** Two clients of the same load. */
export interface Compared {
  readonly connections: number;
  readonly bench: Figures;
  readonly wrk: Figures;
}

/** Within this share they say the same of requests per second, and within the other of p99. */
const RATE_AGREES = 0.05;
const P99_AGREES = 0.1;

/**
 * Whether `sconce bench` and `wrk` agree, and if not why: on shared processors what a client takes more per request the server lacks, so the time that both
 * take together foretells the ratio of their rates.
 */
export function explanation({ connections, bench, wrk }: Compared): string {
  const rate = bench.perSecond / wrk.perSecond;
  const p99 = bench.p99Ms / wrk.p99Ms;
  const foretold = (wrk.clientMicros + wrk.serverMicros) / (bench.clientMicros + bench.serverMicros);
  const said = [
    Math.abs(rate - 1) <= RATE_AGREES
      ? "requests/s agree"
      : `requests/s are ${rate.toFixed(2)} of wrk's: a request takes ${(bench.clientMicros + bench.serverMicros).toFixed(0)} µs of processor time in client and server, ${(wrk.clientMicros + wrk.serverMicros).toFixed(0)} with wrk, so that ${foretold.toFixed(2)} is to be expected where they share processors that are busy`,
    !Number.isFinite(p99)
      ? "p99 of one of them is not known"
      : Math.abs(p99 - 1) <= P99_AGREES
        ? "p99 agree"
        : `p99 is ${p99.toFixed(2)} of wrk's, by ${(bench.p99Ms - wrk.p99Ms).toFixed(2)} ms`,
  ];
  return `${connections} in flight: ${said.join("; ")}.`;
}
