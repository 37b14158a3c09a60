import { constants, performServerHandshake, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { Clock } from "../../base/clock.ts";
import { type GrpcLimits, sessionOptions } from "./grpc-limits.ts";

export interface ConnectionDeps {
  /** By which peers are silent, and connections old. */
  readonly clock: Clock;
  /** Uniform in [0, 1): clients that came together should not leave together. */
  readonly random: () => number;
  readonly limits: GrpcLimits;
}

const AGE_JITTER = 0.1;
/** How often a connection that is to end is looked at, whether it still can. */
const LOOK_MS = 250;
/** When a client has opened so many calls within a turn, what else it sent waits for the next one. */
const CALLS_PER_TURN = 64;
/** Only a client that has opened so many in a row is worth looking at whether they came in one turn. */
const WATCHED_FROM = 8;

/** One client's HTTP/2 connection: pings it, ends it when it is old or silent or floods, asks it to leave. */
export class GrpcConnection {
  readonly session: ServerHttp2Session;
  readonly #socket: Socket;
  readonly #deps: ConnectionDeps;
  #cancelKeepalive: (() => void) | undefined;
  #cancelAge: (() => void) | undefined;
  #cancelLook: (() => void) | undefined;
  #isCut = false;
  /** Since the last look, which comes after a turn. */
  #openedInARow = 0;
  readonly #controlFrames: Allowance;
  readonly #resets: Allowance;

  /** Takes the socket over; its first bytes, the HTTP/2 preface, are unread. */
  constructor(socket: Socket, deps: ConnectionDeps) {
    const { limits, clock, random } = deps;
    this.#deps = deps;
    this.#socket = socket;
    this.#controlFrames = new Allowance(limits.controlFrameBurst, limits.controlFrameRate);
    this.#resets = new Allowance(limits.streamResetBurst, limits.streamResetRate);
    this.session = performServerHandshake(socket, sessionOptions(limits));
    // A broken connection ends its own calls; nothing else depends on it.
    this.session.on("error", ignore);
    this.session.on("ping", () => this.#pay(this.#controlFrames));
    this.session.on("remoteSettings", () => this.#pay(this.#controlFrames));
    this.session.once("close", () => this.#forget());
    this.#pingLater();
    const ageMs = limits.connectionAgeMs * (1 + AGE_JITTER * (2 * random() - 1));
    this.#cancelAge = clock.after(ageMs, () => this.#grow());
  }

  /** A client that works may ping more: some do so with everything that they receive. */
  worked(): void {
    this.#controlFrames.add(1);
  }

  /** A call of the client's begins. */
  openedCall(): void {
    this.worked();
    this.#openedInARow += 1;
    if (this.#openedInARow === WATCHED_FROM) setImmediate(this.#nextTurn);
    if (this.#openedInARow === CALLS_PER_TURN) handleOf(this.#socket)?.readStop?.();
  }

  /** It left a call before that was answered. */
  leftCall(): void {
    this.#pay(this.#resets);
  }

  /** Asks the client to leave (GOAWAY says which calls it should try elsewhere), and closes the connection after the last call. */
  leave(): void {
    if (this.session.destroyed) return;
    this.session.ping(ignore);
    this.session.close();
    this.#look(false);
  }

  /** Not from within an event of the connection: Node 20 aborts the process when its parser loses the session that it works for. */
  destroy(): void {
    this.session.destroy();
  }

  /**
   * A client that breaks the protocol ends its connection. Node 20 leaves it open then for good, whether or not the client is there: nothing is read or written
   * any more, and the ping that goes before everything else stays where it is although the socket would take it.
   */
  #look(wasStuck: boolean): void {
    this.#cancelLook?.();
    this.#cancelLook = this.#deps.clock.after(LOOK_MS, () => {
      if (this.session.destroyed) return;
      const { outboundQueueSize = 0 } = this.session.state;
      const isStuck = outboundQueueSize > 0 && unwrittenBytes(this.#socket) === 0;
      if (isStuck && wasStuck) this.destroy();
      else this.#look(isStuck);
    });
  }

  #grow(): void {
    this.leave();
    this.#cancelAge = this.#deps.clock.after(this.#deps.limits.connectionAgeGraceMs, () => this.destroy());
  }

  #pingLater(): void {
    const { clock, limits } = this.#deps;
    this.#cancelKeepalive = clock.after(limits.keepaliveMs, () => {
      if (this.session.destroyed) return;
      this.#cancelKeepalive = clock.after(limits.keepaliveTimeoutMs, () => this.destroy());
      this.#look(false);
      this.session.ping((error) => {
        if (error !== null) return;
        this.#cancelKeepalive?.();
        // One that is leaving is looked at until it has gone.
        if (!this.session.closed) this.#cancelLook?.();
        this.#pingLater();
      });
    });
  }

  /** A client that opens calls and resets them is limited by nothing else: the system hands on two MiB of them within one turn. */
  readonly #nextTurn = (): void => {
    const wasStopped = this.#openedInARow >= CALLS_PER_TURN;
    this.#openedInARow = 0;
    if (wasStopped && !this.session.destroyed) handleOf(this.#socket)?.readStart?.();
  };

  #pay(allowance: Allowance): void {
    if (allowance.take(this.#deps.clock.nowMs()) || this.#isCut) return;
    this.#isCut = true;
    setImmediate(() => {
      if (this.session.destroyed) return;
      this.session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
      this.destroy();
    });
  }

  #forget(): void {
    this.#cancelKeepalive?.();
    this.#cancelAge?.();
    this.#cancelLook?.();
  }
}

/** What the system has not taken yet of what a session writes. */
function unwrittenBytes(socket: Socket): number {
  return socket.writableLength + (handleOf(socket)?.writeQueueSize ?? 0);
}

/** Node has no public name for what a session reads from and writes to: the socket itself may not be touched. */
function handleOf(socket: Socket): SocketHandle | null | undefined {
  return (socket as unknown as { readonly _handle?: SocketHandle | null })._handle;
}

interface SocketHandle {
  readonly writeQueueSize?: number;
  readStop?(): unknown;
  readStart?(): unknown;
}

/** So many at once, and so many a second. */
class Allowance {
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;
  #atMs = 0;

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
  }

  add(count: number): void {
    this.#left = Math.min(this.#burst, this.#left + count);
  }

  /** One; false: there was none left. */
  take(nowMs: number): boolean {
    if (this.#atMs > 0) this.add(((nowMs - this.#atMs) / 1000) * this.#perSecond);
    this.#atMs = nowMs;
    this.#left -= 1;
    return this.#left >= 0;
  }
}

function ignore(): void {}
