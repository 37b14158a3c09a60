import type { Socket } from "node:net";

/** Whose turn it is among the requests of connections that pipeline. */
export interface RequestTurns {
  /** Whether a request that came just now is handled at once; otherwise `defer` it. */
  mayRun(socket: Socket): boolean;
  /** Runs it when those before it have run. */
  defer(socket: Socket, run: () => void): void;
}

/** Requests that one connection may have handled per turn of the event loop. */
export const REQUESTS_PER_TURN = 32;
/** Only a connection that has sent so many in a row is worth looking at whether they came in one turn. */
const WATCHED_FROM = 8;

/**
 * Bounds what one connection gets done per turn. Nothing more is read of a connection whose requests wait, so that what waits is as much as
 * Node parses of one read.
 */
export function createRequestTurns(): RequestTurns {
  /** Requests that wait, in order, by connection. */
  const waiting = new Map<Socket, (() => void)[]>();
  let last: Socket | undefined;
  let inARow = 0;
  const turnEnded = (): void => {
    inARow = 0;
  };

  function runSome(socket: Socket, requests: (() => void)[]): void {
    const now = socket.destroyed ? requests.splice(0) : requests.splice(0, REQUESTS_PER_TURN);
    if (!socket.destroyed) for (const run of now) run();
    if (requests.length > 0) {
      setImmediate(runSome, socket, requests);
      return;
    }
    waiting.delete(socket);
    readOn(socket);
  }

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
    defer(socket, run) {
      const requests = waiting.get(socket);
      if (requests !== undefined) {
        requests.push(run);
        return;
      }
      const begun = [run];
      waiting.set(socket, begun);
      stopReading(socket);
      setImmediate(runSome, socket, begun);
    },
  };
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

function readOn(socket: Socket): void {
  Reflect.deleteProperty(socket, "resume");
  if (!socket.destroyed) socket.resume();
}
