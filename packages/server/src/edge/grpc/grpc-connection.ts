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

/** One client's HTTP/2 connection: pings it, ends it when it is old or silent or floods, asks it to leave. */
export class GrpcConnection {
  readonly session: ServerHttp2Session;
  readonly #deps: ConnectionDeps;
  #cancelKeepalive: (() => void) | undefined;
  #cancelAge: (() => void) | undefined;
  #isCut = false;
  readonly #controlFrames: Allowance;
  readonly #resets: Allowance;

  /** Takes the socket over; its first bytes, the HTTP/2 preface, are unread. */
  constructor(socket: Socket, deps: ConnectionDeps) {
    const { limits, clock, random } = deps;
    this.#deps = deps;
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

  /** It left a call before that was answered. */
  leftCall(): void {
    this.#pay(this.#resets);
  }

  /** Asks the client to leave (GOAWAY says which calls it should try elsewhere), and closes the connection after the last call. */
  leave(): void {
    this.session.close();
  }

  /** Not from within an event of the connection: Node 20 aborts the process when its parser loses the session that it works for. */
  destroy(): void {
    this.session.destroy();
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
      this.session.ping((error) => {
        if (error !== null) return;
        this.#cancelKeepalive?.();
        this.#pingLater();
      });
    });
  }

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
  }
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
