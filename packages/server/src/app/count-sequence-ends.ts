import type { Counter, Metrics } from "../base/metrics.ts";
import type { SequenceEnd } from "../infer/sequences/live-sequences.ts";

/** Counts the sequences of a model that end, by reason; the metrics are there from now on. */
export function countSequenceEnds(
  { name, version }: { readonly name: string; readonly version: string },
  metrics: Metrics,
): (why: SequenceEnd) => void {
  const ends = (reason: SequenceEnd): Counter =>
    metrics.counter("sconce_sequences_ended_total", "Sequences that ended, by reason.", {
      model: name,
      version,
      reason,
    });
  const counters: Readonly<Record<SequenceEnd, Counter>> = {
    ended: ends("ended"),
    idle: ends("idle"),
    stream_closed: ends("stream_closed"),
    lost: ends("lost"),
  };
  return (why) => counters[why].add(1);
}
