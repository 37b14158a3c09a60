import type { Socket } from "node:net";
import type { CollectedFamily } from "../../base/metrics.ts";
import type { ViewMessage } from "../../link/link-methods.ts";
import type { ToEdge } from "./edge-messages.ts";
import { type EdgeSupport, SupervisedEdge } from "./supervised-edge.ts";

export interface EdgeFleetOptions
  extends Omit<EdgeSupport, "processes" | "greetings" | "giveAgain" | "reclaim" | "onChange"> {
  /** How many edge processes there are. */
  readonly size: number;
  /** Frees bytes that this process holds without need. */
  reclaim(bytes: number): void;
}

/** The edge processes of a server, which share its connections. */
export class EdgeFleet {
  readonly #edges: readonly SupervisedEdge[];
  readonly #onClosed: (ids: Iterable<number>) => void;
  readonly #reclaimHere: (bytes: number) => void;
  readonly #greetings: ToEdge[] = [];
  /** Connections that came while no process was ready. */
  readonly #waiting: { readonly id: number; readonly socket: Socket }[] = [];
  #isDraining = false;
  #whenClosing: (() => void) | undefined;
  #whenEmpty: (() => void) | undefined;

  constructor({ size, ...options }: EdgeFleetOptions) {
    this.#onClosed = options.onClosed;
    this.#reclaimHere = options.reclaim;
    const support: EdgeSupport = {
      ...options,
      processes: size + 1,
      greetings: this.#greetings,
      giveAgain: (id, socket) => this.give(id, socket),
      reclaim: (bytes, place) => this.reclaim(bytes, place),
      onChange: () => this.#look(),
    };
    this.#edges = Array.from({ length: size }, (_, i) => new SupervisedEdge(i + 1, support));
    options.metrics.collect(() => Promise.resolve(familiesOf(this.#edges)));
  }

  /** Resolves when all are ready; rejects when one does not start, and leaves none. */
  async start(): Promise<void> {
    try {
      await Promise.all(this.#edges.map((edge) => edge.start()));
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  /** Gives a connection, of which nothing is read, to the process that has fewest. */
  give(id: number, socket: Socket): void {
    if (this.#isDraining) {
      socket.destroy();
      this.#onClosed([id]);
      return;
    }
    let fewest: SupervisedEdge | undefined;
    for (const edge of this.#edges) {
      if (edge.isReady && (fewest === undefined || edge.connections.size < fewest.connections.size))
        fewest = edge;
    }
    if (fewest === undefined) this.#waiting.push({ id, socket });
    else fewest.give(id, socket);
  }

  show(view: ViewMessage): void {
    for (const edge of this.#edges) edge.show(view);
  }

  setLogLevel(level: string): void {
    this.#tellAlways({ kind: "logLevel", level });
  }

  /** Resolves when all have read certificates and keys again. */
  async reload(): Promise<void> {
    await Promise.all(this.#edges.map((edge) => edge.ask("reload")));
  }

  /** Resolves when all have told what they have counted, or after a moment. */
  async count(): Promise<void> {
    await Promise.all(this.#edges.map((edge) => edge.ask("count")));
  }

  /** Frees bytes that are held without need, but for those of the process at `place`: 0 is this one. */
  reclaim(bytes: number, place: number): void {
    for (const edge of this.#edges) if (edge.place !== place) edge.tell({ kind: "reclaim", bytes });
    if (place !== 0) this.#reclaimHere(bytes);
  }

  /** Responses say from now on that their connections close. */
  setDraining(): void {
    this.#tellAlways({ kind: "leave" });
  }

  /**
   * No more connections come: lets what is there finish, then the processes end. `onClosing`: all have asked their clients to leave, and wait for calls
   * without an end of their own.
   */
  drain(onClosing: () => void): Promise<void> {
    this.#isDraining = true;
    this.#dropWaiting();
    for (const edge of this.#edges) edge.retire();
    this.#tellAlways({ kind: "drain" });
    this.#whenClosing = onClosing;
    const empty = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    this.#look();
    return empty;
  }

  destroy(): void {
    this.#isDraining = true;
    this.#dropWaiting();
    for (const edge of this.#edges) edge.destroy();
  }

  /** A process that starts later is told as well. */
  #tellAlways(message: ToEdge): void {
    const at = this.#greetings.findIndex(({ kind }) => kind === message.kind);
    this.#greetings.splice(at < 0 ? this.#greetings.length : at, 1, message);
    for (const edge of this.#edges) if (edge.isReady) edge.tell(message);
  }

  #dropWaiting(): void {
    for (const { socket } of this.#waiting.splice(0)) socket.destroy();
  }

  #look(): void {
    if (!this.#isDraining) {
      if (this.#edges.some(({ isReady }) => isReady))
        for (const { id, socket } of this.#waiting.splice(0)) this.give(id, socket);
      return;
    }
    const left = this.#edges.filter(({ isThere }) => isThere);
    if (left.every(({ isClosing }) => isClosing)) this.#whenClosing?.();
    if (left.length === 0) this.#whenEmpty?.();
  }
}

function familiesOf(edges: readonly SupervisedEdge[]): CollectedFamily[] {
  const family = (
    named: Omit<CollectedFamily, "values">,
    read: (edge: SupervisedEdge) => number,
  ): CollectedFamily => ({
    ...named,
    values: edges.map((edge) => ({ labels: { edge: String(edge.place) }, value: read(edge) })),
  });
  return [
    family(
      { name: "sconce_edge_connections", help: "Open connections of each edge process.", kind: "gauge" },
      ({ connections }) => connections.size,
    ),
    family(
      {
        name: "sconce_edge_cpu_seconds_total",
        help: "Processor time of each edge process and those before it in its place.",
        kind: "counter",
      },
      ({ cpuS }) => cpuS,
    ),
    family(
      { name: "sconce_edge_resident_bytes", help: "Memory of each edge process.", kind: "gauge" },
      ({ residentBytes }) => residentBytes,
    ),
    family(
      {
        name: "sconce_edge_restarts_total",
        help: "Edge processes that ended and were started again.",
        kind: "counter",
      },
      ({ restarts }) => restarts,
    ),
  ];
}
