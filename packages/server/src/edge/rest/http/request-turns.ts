import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** A request that waits for its turn. */
export interface DeferredRequest {
  readonly response: ServerResponse;
  run(): void;
}

/** Whose turn it is among the requests of connections that pipeline. */
export interface RequestTurns {
  /** Whether a request that came just now is handled at once; otherwise `defer` it. */
  mayRun(socket: Socket): boolean;
  /** Runs it when those before it have run. */
  defer(socket: Socket, request: DeferredRequest): void;
  /** Connections whose requests wait. */
  readonly waitingConnections: number;
}

/** Requests that one connection may have handled per turn of the event loop. */
export const REQUESTS_PER_TURN = 32;
/** Deferred requests of one connection that may be under way; a response is, until its client has room for it. */
const MOST_UNDER_WAY = 128;
/** Only a connection that has sent so many in a row is worth looking at whether they came in one turn. */
const WATCHED_FROM = 8;

/**
 * Bounds what one connection gets done per turn. Nothing more is read of a connection whose requests wait, so that what waits is as much as
 * Node parses of one read.
 */
export function createRequestTurns(): RequestTurns {
  const waiting = new Map<Socket, WaitingRequests>();
  let last: Socket | undefined;
  let inARow = 0;
  const turnEnded = (): void => {
    inARow = 0;
  };
  return {
    mayRun(socket) {
      if (waiting.size > 0 && waiting.has(socket)) return false;
      if (socket !== last) {
        last = socket;
        inARow = 0;
      }
      inARow += 1;
      // Pipelined requests come one after the other in one turn; this is cheaper than counting every connection's.
      if (inARow === WATCHED_FROM) setImmediate(turnEnded);
      return inARow <= REQUESTS_PER_TURN;
    },
    defer(socket, request) {
      let requests = waiting.get(socket);
      if (requests === undefined) {
        requests = new WaitingRequests(socket, () => waiting.delete(socket));
        waiting.set(socket, requests);
      }
      requests.push(request);
    },
    get waitingConnections() {
      return waiting.size;
    },
  };
}

/** The requests of one connection that wait, in order. */
class WaitingRequests {
  readonly #socket: Socket;
  readonly #onEmpty: () => void;
  readonly #requests: DeferredRequest[] = [];
  #underWay = 0;
  #isScheduled = false;
  #isOver = false;

  constructor(socket: Socket, onEmpty: () => void) {
    this.#socket = socket;
    this.#onEmpty = onEmpty;
    stopReading(socket);
    // Of responses that wait for one before them, Node says nothing when their client leaves.
    socket.once("close", this.#leave);
  }

  push(request: DeferredRequest): void {
    this.#requests.push(request);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isOver) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#runSome();
    });
  }

  #runSome(): void {
    if (this.#socket.destroyed) this.#requests.length = 0;
    const count = Math.min(REQUESTS_PER_TURN, MOST_UNDER_WAY - this.#underWay);
    for (const { response, run } of this.#requests.splice(0, count)) {
      this.#underWay += 1;
      response.once("close", () => {
        this.#underWay -= 1;
        this.#schedule();
      });
      run();
    }
    if (this.#requests.length === 0) this.#end();
    // Otherwise the next response that ends goes on.
    else if (this.#underWay < MOST_UNDER_WAY) this.#schedule();
  }

  readonly #leave = (): void => {
    this.#requests.length = 0;
    if (!this.#isOver) this.#end();
  };

  #end(): void {
    this.#isOver = true;
    this.#socket.off("close", this.#leave);
    this.#onEmpty();
    readOn(this.#socket);
  }
}

const ignore = (): void => {};

/**
 * Node reads on after every message, paused or not: `resume` of the socket is what it calls. A listener for data makes it read through the
 * stream, which can be paused.
 */
function stopReading(socket: Socket): void {
  if (!socket.listeners("data").includes(ignore)) socket.on("data", ignore);
  socket.pause();
  socket.resume = () => socket;
}

/** A connection that Node itself has paused, for its client leaves responses unread, goes on when Node says so: data before that would end the process. */
function readOn(socket: Socket): void {
  Reflect.deleteProperty(socket, "resume");
  const { _paused: isNodePausing } = socket as { readonly _paused?: boolean };
  if (!socket.destroyed && isNodePausing !== true) socket.resume();
}
