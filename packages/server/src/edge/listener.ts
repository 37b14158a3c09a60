import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import { invariant } from "../base/errors.ts";
import { acceptedAll, ConnectionCounts } from "./connection-counts.ts";
import { sniffProtocol } from "./sniff-protocol.ts";
import { NOT_TLS_RESPONSES, sniffTls } from "./sniff-tls.ts";
import type { TlsDoor } from "./tls-door.ts";

export interface ListenerLimits {
  /** Open connections of everybody together. */
  readonly maxConnections: number;
  /** Open connections of one remote address. Addresses in `unlimited` are not counted. */
  readonly maxConnectionsPerAddress: number;
  /** File descriptors from this number on are left to workers and files. POSIX gives out the lowest that is free. */
  readonly maxDescriptors: number;
  /** Connections whose TLS handshake is not done; they have cost this process nothing yet, and tell nothing of who they are. */
  readonly maxHandshakes: number;
  /** How long a connection may stay silent or undecided before its protocol is known; with TLS, how long its handshake may take, too. */
  readonly firstBytesTimeoutMs: number;
  /** A connection that has been silent for this long is probed by the system; ten seconds without a response, and it is closed. */
  readonly probeAfterMs: number;
}

export const DEFAULT_LISTENER_LIMITS: ListenerLimits = {
  maxConnections: 10_000,
  maxConnectionsPerAddress: 64,
  maxDescriptors: Number.POSITIVE_INFINITY,
  maxHandshakes: 1024,
  firstBytesTimeoutMs: 10_000,
  probeAfterMs: 40_000,
};

/** How long a client that is refused with words may take to read them. */
const LINGER_MS = 1000;

/** Loopback: the machine itself, and proxies on it, which carry everybody. */
export const LOOPBACK: readonly string[] = ["127.0.0.0/8", "::1/128"];

export interface ListenerOptions {
  /** Takes over a socket that speaks HTTP/1; its first bytes are unread. */
  onHttp1(socket: Socket): void;
  /** Takes over a socket that opened with the HTTP/2 preface, which is unread. */
  onHttp2(socket: Socket): void;
  /** Connections speak TLS, which ends here. Default: they do not. */
  readonly tls?: TlsDoor | undefined;
  /** Stands still while this process does: first bytes that came meanwhile are unread, not late. */
  readonly clock: Clock;
  readonly limits?: ListenerLimits;
  /** Networks (`address/prefix`) without a limit per address: loopback and the proxies in front. Default: loopback. */
  readonly unlimited?: readonly string[];
  /** Told of every connection whose client has said what it speaks. */
  onOpened?(): void;
  /** Told of every connection that was closed at the door. */
  onRejected?(reason: RejectionReason): void;
}

export type RejectionReason =
  | "connections"
  | "connections_per_address"
  | "descriptors"
  | "first_bytes_timeout"
  | "handshakes"
  | "tls_failed"
  | "not_tls";

/** One port that speaks HTTP/1 and HTTP/2 (with prior knowledge or, behind TLS, by ALPN): the first bytes of a connection decide. */
export interface Listener {
  /** Rejects when the port cannot be had. */
  listen(host: string, port: number): Promise<AddressInfo>;
  /** Takes a connection that somebody else has accepted; its first bytes are unread. */
  take(socket: Socket): void;
  /** Undefined while not listening. */
  address(): AddressInfo | undefined;
  /** Open connections. */
  connectionCount(): number;
  /** Those of them that have not said yet what they speak. */
  undecidedCount(): number;
  /** Resolves when the system holds no connection that this process has not accepted, or after a moment: some never stop coming. */
  acceptWaiting(): Promise<void>;
  /** New connections are rejected by the system from now on, and those it holds are reset; open ones go on. */
  stopAccepting(): void;
  /** Stops accepting, closes connections that have said nothing, and resolves when the last one is gone. Idempotent. */
  close(): Promise<void>;
  /** Stops accepting and cuts every connection. */
  destroy(): void;
}

/** Makes a listener. It owns the sockets until it hands them over, and can still cut them afterwards. */
export function createListener(options: ListenerOptions): Listener {
  const limits = options.limits ?? DEFAULT_LISTENER_LIMITS;
  const counts = new ConnectionCounts({ ...limits, unlimited: options.unlimited ?? LOOPBACK });
  const sockets = new Set<Socket>();
  const undecided = new Set<Socket>();
  /** Those of them whose TLS handshake is not done. */
  const shaking = new Set<Socket>();
  let closed: Promise<void> | undefined;
  let accepted = 0;

  // Half-open connections are allowed because HTTP/1 clients may send FIN after their request; HTTP/2 switches that off.
  const server = createServer(
    { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: limits.probeAfterMs },
    accept,
  );

  function accept(socket: Socket): void {
    accepted += 1;
    const { remoteAddress: address } = socket;
    const reason = overLimit(socket, address);
    if (reason !== undefined) {
      reject(socket, reason);
      return;
    }
    sockets.add(socket);
    counts.enter(address);
    socket.once("close", () => {
      sockets.delete(socket);
      undecided.delete(socket);
      shaking.delete(socket);
      counts.leave(address);
    });
    undecided.add(socket);
    if (options.tls === undefined) decide(socket, socket);
    else secure(socket, options.tls);
  }

  function overLimit(socket: Socket, address: string | undefined): RejectionReason | undefined {
    const full = counts.isFull(address);
    if (full === "connections") return full;
    if (descriptorOf(socket) >= limits.maxDescriptors) return "descriptors";
    return shaking.size >= limits.maxHandshakes ? "handshakes" : full;
  }

  function reject(socket: Socket, reason: RejectionReason): void {
    options.onRejected?.(reason);
    socket.on("error", ignore);
    socket.destroy();
  }

  function secure(socket: Socket, tls: TlsDoor): void {
    shaking.add(socket);
    const cancelTimeout = options.clock.after(limits.firstBytesTimeoutMs, () =>
      reject(socket, "first_bytes_timeout"),
    );
    socket.once("close", cancelTimeout);
    sniffTls(socket, (beginning) => {
      if (beginning !== "tls") {
        cancelTimeout();
        refuseTo(socket, NOT_TLS_RESPONSES[beginning]);
        return;
      }
      tls.open(socket, {
        onSecure(secured) {
          cancelTimeout();
          shaking.delete(socket);
          decide(secured, socket);
        },
        onFailed: () => options.onRejected?.("tls_failed"),
      });
    });
  }

  /** Says why and closes, once the client has read it: closing with bytes unread would reset the connection, and the words with it. */
  function refuseTo(socket: Socket, words: Buffer): void {
    options.onRejected?.("not_tls");
    socket.on("end", () => socket.destroy());
    socket.end(words);
    socket.once(
      "close",
      options.clock.after(LINGER_MS, () => socket.destroy()),
    );
  }

  /** `carrier`: the connection itself; with TLS, the one below `socket`. */
  function decide(socket: Socket, carrier: Socket): void {
    const onTimeout = () => reject(carrier, "first_bytes_timeout");
    sniffProtocol(
      socket,
      { clock: options.clock, timeoutMs: limits.firstBytesTimeoutMs, onTimeout },
      (protocol) => {
        undecided.delete(carrier);
        options.onOpened?.();
        if (protocol === "http1") return options.onHttp1(socket);
        socket.allowHalfOpen = false;
        return options.onHttp2(socket);
      },
    );
  }

  return {
    listen: (host, port) => listenOn(server, { host, port }),
    take: accept,
    address: () => (server.listening ? addressOf(server.address()) : undefined),
    connectionCount: () => sockets.size,
    undecidedCount: () => undecided.size,
    acceptWaiting: () => acceptedAll(options.clock, () => accepted),
    stopAccepting() {
      closed ??= new Promise((resolve) => server.close(() => resolve()));
    },
    close() {
      this.stopAccepting();
      for (const socket of undecided) socket.destroy();
      invariant(closed, "stopAccepting sets it");
      return closed;
    },
    destroy() {
      this.stopAccepting();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Node has no public name for it; without one (Windows) there is no such limit either. */
export function descriptorOf(socket: Socket): number {
  return (socket as unknown as { readonly _handle?: { readonly fd?: number } })._handle?.fd ?? -1;
}

export function addressOf(address: AddressInfo | string | null): AddressInfo {
  invariant(typeof address === "object" && address !== null, "a TCP listener has an address");
  return address;
}

/** Resolves with the address once the port is open; rejects with what Node says where it cannot be. */
export function listenOn(
  server: Server,
  at: { readonly host: string; readonly port: number },
): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(at, () => {
      server.off("error", reject);
      // EMFILE and the like concern one connection attempt; the port stays open.
      server.on("error", ignore);
      resolve(addressOf(server.address()));
    });
  });
}

function ignore(): void {}
