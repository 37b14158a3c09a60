import { createGrpcStreamTransport, createGrpcTransport } from "./grpc-transport.ts";
import type { LoadPlan, LoadResult, LoadStream, StreamResult } from "./load-plan.ts";
import { monotonicMs, sleep } from "./monotonic.ts";
import { createRandom, type Random } from "./random.ts";
import { createRestTransport } from "./rest-transport.ts";
import { makeRow } from "./row.ts";
import { StreamTally, type Times } from "./stream-tally.ts";
import type { Ask, Transport } from "./transport.ts";

const SEED_STEP = 7919;
const FIRST_RETRY_MS = 50;

/**
 * Sends every request at its own time, however slow the answers are (open loop), and counts its latency from that time on: a server that
 * stalls cannot slow down its own measurement.
 */
export class OpenLoop {
  readonly #startMs: number = monotonicMs();
  readonly #streams: readonly RunningStream[];
  #isStopped = false;

  constructor(plan: LoadPlan) {
    const startMs = this.#startMs;
    this.#streams = plan.streams.map((stream, index) => new RunningStream(plan, stream, { index, startMs }));
  }

  get inFlight(): number {
    return this.#streams.reduce((sum, stream) => sum + stream.inFlight, 0);
  }

  /** No new requests from now on. */
  stop(): void {
    this.#isStopped = true;
  }

  async run(): Promise<LoadResult> {
    const streams = await Promise.all(this.#streams.map((stream) => stream.run(() => this.#isStopped)));
    return { startMs: this.#startMs, streams };
  }
}

class RunningStream {
  readonly #plan: LoadPlan;
  readonly #stream: LoadStream;
  readonly #index: number;
  readonly #startMs: number;
  readonly #random: Random;
  readonly #transport: Transport;
  readonly #tally: StreamTally;
  readonly #open = new Set<Promise<void>>();
  #sequence = 0;

  constructor(
    plan: LoadPlan,
    stream: LoadStream,
    place: { readonly index: number; readonly startMs: number },
  ) {
    this.#plan = plan;
    this.#stream = stream;
    this.#index = place.index;
    this.#startMs = place.startMs;
    this.#random = createRandom(plan.seed + SEED_STEP * (place.index + 1));
    this.#transport = openTransport(stream, plan.url);
    this.#tally = new StreamTally(stream, place.startMs);
  }

  get inFlight(): number {
    return this.#open.size;
  }

  async run(shouldStop: () => boolean): Promise<StreamResult> {
    const { perSecond, fromMs = 0, toMs = this.#plan.durationMs } = this.#stream;
    const endMs = this.#startMs + toMs;
    let nextMs = this.#startMs + fromMs + this.#random.pauseMs(perSecond);
    while (nextMs < endMs && !shouldStop()) {
      const waitMs = nextMs - monotonicMs();
      if (waitMs > 0) await sleep(Math.min(waitMs, 100));
      while (nextMs <= monotonicMs() && nextMs < endMs) {
        this.#send(nextMs);
        nextMs += this.#random.pauseMs(perSecond);
      }
    }
    await this.#lastAnswers();
    this.#transport.close();
    return this.#tally.result();
  }

  /** Late answers are not lost ones: waits for as long as they come. */
  async #lastAnswers(): Promise<void> {
    while (this.#open.size > 0) {
      const before = this.#open.size;
      await Promise.race([Promise.all(this.#open), sleep(this.#plan.graceMs)]);
      if (this.#open.size === before) return;
    }
  }

  #send(intendedMs: number): void {
    const times = { intendedMs, sentMs: monotonicMs() };
    const ask = this.#draw();
    this.#tally.sent(times);
    const settled = this.#follow(ask, times).finally(() => this.#open.delete(settled));
    this.#open.add(settled);
  }

  async #follow(ask: Ask, times: Times): Promise<void> {
    const { tries = 1 } = this.#stream;
    for (let attempt = 1; ; attempt++) {
      const reply = await this.#try(ask);
      if (!reply.isRefusal || attempt >= tries) {
        this.#tally.answered(ask, reply, times);
        return;
      }
      await sleep(FIRST_RETRY_MS * 2 ** (attempt - 1) * (0.5 + this.#random.next()));
    }
  }

  async #try(ask: Ask): ReturnType<Transport["ask"]>["done"] {
    const { cancelShare = 0, cancelAfterMs = [0, 0] } = this.#stream;
    const willCancel = cancelShare > 0 && this.#random.next() < cancelShare;
    const sent = this.#transport.ask(ask);
    if (ask.deadlineMs !== undefined) this.#tally.died(ask, ask.deadlineMs);
    if (!willCancel) return sent.done;
    const afterMs = this.#random.integer(...cancelAfterMs);
    const timer = setTimeout(() => {
      this.#tally.died(ask, monotonicMs());
      sent.cancel();
    }, afterMs);
    return sent.done.finally(() => clearTimeout(timer));
  }

  #draw(): Ask {
    const { model, rows = [1, 1], timeoutMs, tenant } = this.#stream;
    const count = this.#random.integer(...rows);
    return {
      model,
      rows: Array.from({ length: count }, () =>
        makeRow({ stream: this.#index, sequence: this.#sequence++ }, this.#random),
      ),
      ...(timeoutMs === undefined ? {} : { deadlineMs: monotonicMs() + this.#random.integer(...timeoutMs) }),
      ...(tenant === undefined ? {} : { tenant }),
    };
  }
}

function openTransport({ protocol, connections }: LoadStream, url: string): Transport {
  switch (protocol) {
    case "rest":
      return createRestTransport(url, connections);
    case "grpc":
      return createGrpcTransport(url, connections);
    case "grpc-stream":
      return createGrpcStreamTransport(url, connections);
  }
}
