import { createServer, type Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import { acceptedAll, ConnectionCounts } from "./connection-counts.ts";
import {
  addressOf,
  descriptorOf,
  type Listener,
  type ListenerLimits,
  listenOn,
  type RejectionReason,
} from "./listener.ts";

export interface PassingListenerOptions {
  readonly clock: Clock;
  readonly limits: ListenerLimits;
  /** Networks (`address/prefix`) without a limit per address. */
  readonly unlimited: readonly string[];
  /** Told of every connection that was closed at the door. */
  onRejected(reason: RejectionReason): void;
  /** Takes a connection of which nothing is read over, under this number. */
  pass(id: number, socket: Socket): void;
  /** Cuts all connections that were passed on. */
  cut(): void;
}

/** A port whose connections other processes serve. It counts them until it hears that they are closed. */
export interface PassingListener extends Listener {
  onClosed(ids: Iterable<number>): void;
}

/** Makes one. What a connection says is the business of whoever it is passed to. */
export function createPassingListener(options: PassingListenerOptions): PassingListener {
  const { clock, limits, unlimited, onRejected } = options;
  const counts = new ConnectionCounts({ ...limits, unlimited });
  /** Addresses of open connections, by their numbers. */
  const open = new Map<number, string | undefined>();
  let accepted = 0;
  const server = createServer(
    {
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: limits.probeAfterMs,
      pauseOnConnect: true,
    },
    (socket) => {
      accepted += 1;
      const { remoteAddress: address } = socket;
      const full = descriptorOf(socket) >= limits.maxDescriptors ? "descriptors" : counts.isFull(address);
      if (full !== undefined) {
        onRejected(full);
        socket.destroy();
        return;
      }
      counts.enter(address);
      open.set(accepted, address);
      socket.on("error", ignore);
      options.pass(accepted, socket);
    },
  );
  return {
    listen: (host, port) => listenOn(server, { host, port }),
    take: (socket) => void server.emit("connection", socket),
    address: () => (server.listening ? addressOf(server.address()) : undefined),
    connectionCount: () => open.size,
    undecidedCount: () => 0,
    acceptWaiting: () => acceptedAll(clock, () => accepted),
    stopAccepting: () => void server.close(),
    close() {
      server.close();
      return Promise.resolve();
    },
    destroy() {
      server.close();
      options.cut();
    },
    onClosed(ids) {
      for (const id of ids) {
        if (!open.has(id)) continue;
        counts.leave(open.get(id));
        open.delete(id);
      }
    },
  };
}

function ignore(): void {}
