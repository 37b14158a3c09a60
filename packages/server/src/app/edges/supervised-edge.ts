import type { Socket } from "node:net";
import type { Clock } from "../../base/clock.ts";
import { addCounts } from "../../base/collected-counts.ts";
import type { Logger } from "../../base/logger.ts";
import type { Labels, Metrics } from "../../base/metrics.ts";
import type { Config } from "../../config/load-config.ts";
import type { Inference } from "../../infer/inference.ts";
import { InferenceHost } from "../../link/inference-host.ts";
import type { ViewMessage } from "../../link/link-methods.ts";
import { Backoff } from "../../worker/backoff.ts";
import type { FromEdge, ToEdge } from "./edge-messages.ts";
import { EdgeProcess } from "./edge-process.ts";

/** What all edge processes of a server share. */
export interface EdgeSupport {
  readonly config: Config;
  /** With the server process. */
  readonly processes: number;
  readonly ledgerFd: number;
  readonly inference: Inference;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** What a process that starts has to know of all models. */
  wholeView(): ViewMessage;
  /** How often a model has changed. */
  revisionOf(model: string): number;
  /** Serves HTTP/2 at the other end of a process's tunnel. */
  serveTunnel(socket: Socket): void;
  /** A connection that was given to a process which ended before it had it. */
  giveAgain(id: number, socket: Socket): void;
  /** Connections with these numbers are closed. */
  onClosed(ids: Iterable<number>): void;
  /** The process at `place` has ended. */
  onEnded(place: number): void;
  /** Whether counts with these labels are still shown. */
  isKept(labels: Labels): boolean;
  /** What a process is told that has just started. */
  readonly greetings: readonly ToEdge[];
  /** The process at `place` lacks bytes that others hold without need. */
  reclaim(bytes: number, place: number): void;
  /** One of them has become ready, or closing, or has ended. */
  onChange(): void;
}

/** How long a process may take to reply. */
const REPLY_TIMEOUT_MS = 1000;
/** A process that was ready for so long did not die of being started. */
const STEADY_MS = 10_000;

/**
 * Keeps one edge process alive. When it ends, its connections are lost and what they asked for is cancelled; another one is started, at once after the first
 * end and after growing pauses when ends follow each other.
 */
export class SupervisedEdge {
  readonly place: number;
  readonly connections: Set<number> = new Set();
  restarts = 0;
  residentBytes = 0;
  isReady = false;
  /** It has asked its clients to leave. */
  isClosing = false;
  readonly #support: EdgeSupport;
  readonly #backoff: Backoff;
  /** Connections that the process may not have yet. */
  readonly #given = new Map<number, Socket>();
  readonly #asked = new Map<number, () => void>();
  #process: EdgeProcess | undefined;
  #host: InferenceHost | undefined;
  #readyMs = 0;
  #cpuS = 0;
  /** Of the processes before this one. */
  #pastCpuS = 0;
  #isLast = false;
  #cancelRestart: (() => void) | undefined;
  #lastAsk = 0;

  constructor(place: number, support: EdgeSupport) {
    this.place = place;
    this.#support = support;
    this.#backoff = new Backoff(support.clock, support.random);
  }

  get cpuS(): number {
    return this.#pastCpuS + this.#cpuS;
  }

  /** False: it has ended, and no other one is to come. */
  get isThere(): boolean {
    return this.#process !== undefined;
  }

  /** Resolves when the first process is ready; rejects when it cannot be. */
  start(): Promise<void> {
    return this.#open().ready;
  }

  /** Gives it a connection; it is not lost when the process ends before it has it. */
  give(id: number, socket: Socket): void {
    this.connections.add(id);
    this.#given.set(id, socket);
    this.#process?.give(id, socket);
  }

  tell(message: ToEdge): void {
    this.#process?.tell(message);
  }

  show(view: ViewMessage): void {
    this.#host?.show(view);
  }

  /** Resolves when it has told what it has counted, or has read certificates and keys again, or after a moment. */
  ask(kind: "count" | "reload"): Promise<void> {
    const ask = ++this.#lastAsk;
    if (!this.isReady) {
      // One that starts does it when it can; nobody waits for that.
      this.tell({ kind, ask });
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const cancel = this.#support.clock.after(REPLY_TIMEOUT_MS, () => done());
      const done = (): void => {
        cancel();
        this.#asked.delete(ask);
        resolve();
      };
      this.#asked.set(ask, done);
      this.tell({ kind, ask });
    });
  }

  /** No other process is started when this one ends. */
  retire(): void {
    this.#isLast = true;
    this.#cancelRestart?.();
  }

  destroy(): void {
    this.retire();
    this.#process?.destroy();
  }

  #open(): EdgeProcess {
    const { inference, clock, greetings, wholeView, revisionOf, serveTunnel } = this.#support;
    const own = new EdgeProcess({
      ...this.#support,
      place: this.place,
      onMessage: (message) => this.#hear(message),
    });
    this.#process = own;
    this.isClosing = false;
    void own.ended.then((how) => this.#ended(how));
    own.ready.then(
      () => {
        this.isReady = true;
        this.#readyMs = clock.nowMs();
        for (const greeting of greetings) own.tell(greeting);
        this.#support.onChange();
      },
      () => own.destroy(),
    );
    // One that could not be started has no sockets.
    if (own.pid === undefined) return own;
    this.#host = new InferenceHost({ end: own.link, inference, clock, revisionOf });
    this.#host.show(wholeView());
    serveTunnel(own.tunnel);
    return own;
  }

  #ended(how: string): void {
    const { clock, logger, onClosed, onEnded, giveAgain } = this.#support;
    if (this.isReady && clock.nowMs() - this.#readyMs >= STEADY_MS) this.#backoff.success();
    this.isReady = false;
    this.#process = undefined;
    this.#host?.destroy();
    this.#host = undefined;
    this.#pastCpuS += this.#cpuS;
    this.#cpuS = 0;
    this.residentBytes = 0;
    onEnded(this.place);
    const given = [...this.#given];
    this.#given.clear();
    for (const [id] of given) this.connections.delete(id);
    const lost = this.connections.size;
    onClosed(this.connections);
    this.connections.clear();
    for (const [id, socket] of given) giveAgain(id, socket);
    for (const done of this.#asked.values()) done();
    if (!this.#isLast) {
      const delayMs = this.#backoff.fault();
      this.restarts += 1;
      logger.error(
        { edge: this.place, connections: lost },
        `an edge process ended: ${how}; another one takes its place`,
      );
      this.#cancelRestart = clock.after(delayMs, () => this.#open());
    }
    this.#support.onChange();
  }

  #hear(message: FromEdge): void {
    const { metrics, logger, onClosed, reclaim, onChange, isKept } = this.#support;
    switch (message.kind) {
      case "taken":
        // The process has a descriptor of its own.
        this.#given.get(message.id)?.destroy();
        this.#given.delete(message.id);
        break;
      case "closed":
        for (const id of message.ids) this.connections.delete(id);
        onClosed(message.ids);
        break;
      case "log":
        logger.child({ edge: this.place })[message.level](message.fields, message.message);
        break;
      case "counted":
        addCounts(
          metrics,
          message.counts.filter(({ labels }) => isKept(labels)),
        );
        this.#cpuS = message.cpuS;
        this.residentBytes = message.residentBytes;
        this.#asked.get(message.ask)?.();
        break;
      case "reloaded":
        this.#asked.get(message.ask)?.();
        break;
      case "reclaim":
        reclaim(message.bytes, this.place);
        break;
      case "closing":
        this.isClosing = true;
        onChange();
        break;
      default:
    }
  }
}
