import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import { type MachineReading, readMachine } from "../base/machine.ts";
import { type MetricsPage, readMetrics } from "../base/metrics-text.ts";
import type { SharedResponse } from "./shared-response.ts";

/** What the server counted since the event before, and how things stand now. */
export interface LiveFigures {
  /** Since the event before. */
  readonly seconds: number;
  /** In Prometheus' text format, without those that are 0: what counters and histograms gained, */
  readonly counts: string;
  /** and the gauges. */
  readonly gauges: string;
  readonly machine: MachineReading;
}

/** Somebody who looks on. Neither method throws. */
export interface LiveListener {
  /** One server-sent event, which all listeners get. */
  tell(event: Buffer): void;
  /** There are no more: the server drains. */
  end(): void;
}

export interface LiveFeed {
  /** From now on the listener is told; the result ends that. Throws `resource_exhausted`, or `unavailable` in a drain. */
  listen(listener: LiveListener): () => void;
}

export interface LiveFeedParts {
  readonly metrics: SharedResponse<Buffer>;
  readonly clock: Clock;
  isDraining(): boolean;
}

export const MAX_LIVE_LISTENERS = 16;
const INTERVAL_MS = 1000;
/** Making an event takes at most one part in so many of the event loop, however many series there are. */
const REST_FACTOR = 20;

/** Makes one event a second for all who listen, from the metrics that everybody shares; none while nobody does. */
export function createLiveFeed({ metrics, clock, isDraining }: LiveFeedParts): LiveFeed {
  const listeners = new Set<LiveListener>();
  let before: { readonly page: MetricsPage; readonly atMs: number } | undefined;
  let isRunning = false;

  async function look(): Promise<number> {
    const text = (await metrics.get()).toString();
    const atMs = clock.nowMs();
    const page = readMetrics(text);
    if (before !== undefined) {
      const figures = figuresBetween(before.page, page, (atMs - before.atMs) / 1000);
      const event = Buffer.from(`data: ${JSON.stringify(figures)}\n\n`);
      for (const listener of listeners) listener.tell(event);
    }
    before = { page, atMs };
    return clock.nowMs() - atMs;
  }

  function run(): void {
    if (isDraining()) {
      for (const listener of listeners) listener.end();
      listeners.clear();
    }
    if (listeners.size === 0) {
      isRunning = false;
      before = undefined;
      return;
    }
    const rest = (tookMs: number): void => {
      clock.after(Math.max(INTERVAL_MS, tookMs * REST_FACTOR), run);
    };
    // Who scrapes learns why the metrics could not be made; the next look may succeed.
    look().then(rest, () => rest(0));
  }

  return {
    listen(listener) {
      if (isDraining())
        throw new ServeError("unavailable", "the server is shutting down", { reason: "draining" });
      if (listeners.size >= MAX_LIVE_LISTENERS) {
        throw new ServeError(
          "resource_exhausted",
          `${MAX_LIVE_LISTENERS} clients listen to the live figures already; close one of them`,
          { reason: "too_many_listeners" },
        );
      }
      listeners.add(listener);
      if (!isRunning) {
        isRunning = true;
        run();
      }
      return () => listeners.delete(listener);
    },
  };
}

/** Names that only grow. */
const COUNT = /_(?:total|bucket|sum|count)\{/;

function figuresBetween(before: MetricsPage, after: MetricsPage, seconds: number): LiveFigures {
  let counts = "";
  let gauges = "";
  for (const [key, { name, value }] of after) {
    if (!name.startsWith("sconce_")) continue;
    if (!COUNT.test(key)) {
      if (value !== 0) gauges += `${key} ${value}\n`;
      continue;
    }
    const gained = value - (before.get(key)?.value ?? 0);
    if (gained !== 0) counts += `${key} ${gained}\n`;
  }
  return { seconds, counts, gauges, machine: readMachine() };
}
