import type { MachineReading } from "../base/machine.ts";
import { readMetrics, type Series } from "../base/metrics-text.ts";
import type { ServerApi } from "./server-api.ts";

/** One event of the server's stream. */
export interface Tick {
  readonly seconds: number;
  /** What was gained in these seconds. */
  readonly counts: readonly Series[];
  /** How things stand; what is 0 is not there. */
  readonly gauges: readonly Series[];
  readonly machine: MachineReading;
}

/** The stream of the server's figures, and what came of it lately. */
export interface LiveStore {
  /** The oldest first. */
  readonly ticks: readonly Tick[];
  /** Follows the stream until the signal fires; rejects when it breaks off. `told` is called for each tick. */
  follow(signal: AbortSignal, told: () => void): Promise<void>;
}

/** Two minutes. */
export const MAX_TICKS = 120;

export function createLiveStore(api: ServerApi): LiveStore {
  const ticks: Tick[] = [];
  return {
    ticks,
    async follow(signal, told) {
      try {
        const response = await api.request("v2/live", { signal });
        for await (const event of eventsOf(response.body!)) {
          ticks.push(readTick(event));
          if (ticks.length > MAX_TICKS) ticks.shift();
          told();
        }
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      if (!signal.aborted) throw new Error("the server ended the stream: it is shutting down");
    },
  };
}

function readTick(event: string): Tick {
  const { seconds, counts, gauges, machine } = JSON.parse(event) as {
    readonly [name in "counts" | "gauges"]: string;
  } & Pick<Tick, "seconds" | "machine">;
  return {
    seconds,
    counts: [...readMetrics(counts).values()],
    gauges: [...readMetrics(gauges).values()],
    machine,
  };
}

/** The data of server-sent events. */
async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = blocks.pop()!; // `split` gives at least one
    for (const block of blocks) if (block.startsWith("data: ")) yield block.slice("data: ".length);
  }
}
