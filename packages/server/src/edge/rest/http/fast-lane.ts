import type { Socket } from "node:net";
import type { RestCall } from "../call/rest-call.ts";
import type { RestContext } from "../call/rest-context.ts";
import type { FoundRoute } from "../call/route-table.ts";
import { FastConnection, type FastConnectionOwner } from "./fast-connection.ts";
import type { FastHead } from "./fast-head.ts";
import { httpDate } from "./fast-response-head.ts";

export interface FastLaneOptions {
  readonly context: RestContext;
  route(head: FastHead): FoundRoute | undefined;
  open(connection: FastConnection): RestCall;
  run(call: RestCall, found: FoundRoute): void;
  handOver(socket: Socket): void;
  rejectBroken(socket: Socket): void;
  /** A connection has gone. */
  onGone(): void;
}

/** Connections whose requests are read by ourselves, as long as they are of the strictest shape. */
export interface FastLane {
  attach(socket: Socket): void;
  /** Connections that are here, and those of them that have nothing to do. */
  readonly size: number;
  idleCount(): number;
  /** Closes every connection once it is idle. What has begun to come is handed over. */
  closeIdle(): void;
  destroy(): void;
}

/** How long the rest of a request may take before `node:http` waits for it. */
const REST_MS = 50;
/** How often connections past their time are looked for. */
const CHECK_INTERVAL_MS = 1000;

/**
 * A strict reader of HTTP/1.1 beside `node:http`, for the requests that come most often: it costs a third of the processor time. It knows one shape
 * of request (`readFastHead`) and gives every connection that says anything else to `node:http`, unread: whatever is right or wrong about such a
 * request, and every slow client, is judged there.
 */
export function createFastLane(options: FastLaneOptions): FastLane {
  const { context, onGone } = options;
  const { clock, limits } = context;
  const connections = new Set<FastConnection>();
  /** Those that wait for the rest of a request, the longest first. */
  const waiting = new Set<FastConnection>();
  let isLookingForRest = false;
  let isLookingForIdle = false;
  const idleLookMs = Math.min(CHECK_INTERVAL_MS, limits.keepAliveTimeoutMs / 4);

  const lookForRest = (): void => {
    isLookingForRest = false;
    const lateMs = clock.nowMs() - REST_MS;
    for (const connection of waiting) if (connection.sinceMs <= lateMs) connection.handOver();
    if (waiting.size > 0) lookForRestLater();
  };
  const lookForRestLater = (): void => {
    if (isLookingForRest) return;
    isLookingForRest = true;
    clock.after(REST_MS, lookForRest);
  };
  const lookForIdle = (): void => {
    isLookingForIdle = false;
    const lateMs = clock.nowMs() - limits.keepAliveTimeoutMs;
    for (const connection of connections) {
      if (connection.isIdle && connection.sinceMs <= lateMs) connection.closeWhenIdle();
    }
    if (connections.size > 0) lookForIdleLater();
  };
  const lookForIdleLater = (): void => {
    if (isLookingForIdle) return;
    isLookingForIdle = true;
    clock.after(idleLookMs, lookForIdle);
  };

  const owner: FastConnectionOwner = {
    ...options,
    waiting(connection, isWaiting) {
      if (!isWaiting) waiting.delete(connection);
      else {
        waiting.add(connection);
        lookForRestLater();
      }
    },
    onGone(connection) {
      connections.delete(connection);
      waiting.delete(connection);
      onGone();
    },
    date: httpDate(),
  };

  return {
    attach(socket) {
      connections.add(new FastConnection(socket, owner));
      lookForIdleLater();
    },
    get size() {
      return connections.size;
    },
    idleCount() {
      let idle = 0;
      for (const connection of connections) if (connection.isIdle) idle += 1;
      return idle;
    },
    closeIdle() {
      for (const connection of connections) connection.closeWhenIdle();
    },
    destroy() {
      for (const connection of connections) connection.destroy();
    },
  };
}
