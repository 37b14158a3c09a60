import type { Distribution, LoadResult, LoadStream, StreamResult } from "./load-plan.ts";
import type { ModelFolder } from "./model-folder.ts";

/** The model that most procedures use. What it can do is arithmetic, whatever the machine. */
export interface Calibration {
  readonly serviceMs: number;
  readonly batchRows: number;
  /** Requests that may wait. */
  readonly queueSize: number;
  /** Rows per second. */
  readonly capacity: number;
}

const INSTANCES = 2;

/** 400 rows per second; 100 where the machine does other things as well. */
export function calibrationFor(effort: { readonly isShort: boolean }): Calibration {
  const [serviceMs, batchRows] = [40, effort.isShort ? 2 : 8];
  return { serviceMs, batchRows, queueSize: 64, capacity: (INSTANCES * batchRows * 1000) / serviceMs };
}

export function publishCalibrated(
  folder: ModelFolder,
  model: string,
  {
    calibration,
    version = 1,
    options = {},
  }: {
    readonly calibration: Calibration;
    readonly version?: number;
    readonly options?: Readonly<Record<string, unknown>>;
  },
): void {
  folder.publish(model, version, {
    model: { sleepMs: calibration.serviceMs },
    options: {
      instances: INSTANCES,
      max_batch_size: calibration.batchRows,
      max_queue_size: calibration.queueSize,
      warmup_runs: 0,
      ...options,
    },
  });
}

/** The same load, half over REST and half over gRPC. */
export function bothProtocols(stream: Omit<LoadStream, "protocol">): LoadStream[] {
  return (["rest", "grpc"] as const).map((protocol) => ({
    ...stream,
    name: `${stream.name}/${protocol}`,
    protocol,
    perSecond: stream.perSecond / 2,
    connections: protocol === "grpc" ? Math.min(4, stream.connections) : stream.connections,
  }));
}

export function streamsOf(result: Pick<LoadResult, "streams">, prefix: string): readonly StreamResult[] {
  return result.streams.filter((stream) => stream.name.startsWith(prefix));
}

export function sumOf(streams: readonly StreamResult[], figure: (stream: StreamResult) => number): number {
  return streams.reduce((sum, stream) => sum + figure(stream), 0);
}

export function maxOf(
  streams: readonly StreamResult[],
  figure: "okMs" | "refusedMs" | "lagMs",
  of: keyof Distribution = "p99",
): number {
  return Math.max(...streams.map((stream) => stream[figure][of]));
}

/** Requests with this outcome; a pattern, since outcomes carry their reasons. */
export function outcomesOf(streams: readonly StreamResult[], pattern: RegExp): number {
  return sumOf(streams, ({ outcomes }) =>
    Object.entries(outcomes).reduce((sum, [name, count]) => sum + (pattern.test(name) ? count : 0), 0),
  );
}

/** Requests that were neither answered nor excused by `pattern`. Those that never got an answer at all count as well. */
export function failuresOf(streams: readonly StreamResult[], pattern: RegExp = /^ok$/): number {
  return sumOf(streams, ({ offered }) => offered) - outcomesOf(streams, pattern);
}

/** `0`, or how many failed and how the first of them did. */
export function failuresWithReasons(streams: readonly StreamResult[]): string {
  const count = failuresOf(streams);
  return count === 0 ? "0" : `${count} (${problemsOf(streams)})`;
}

export function problemsOf(streams: readonly StreamResult[]): string {
  return streams.flatMap((stream) => stream.problems).join("; ");
}
