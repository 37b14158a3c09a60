import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Worker } from "node:worker_threads";
import type { Logger } from "../base/logger.ts";
import type { WebGateOptions } from "../gate/web-gate.ts";
import { HealthBoard, sharedNowMs } from "./health-board.ts";
import type { HealthThreadData, HealthThreadMessage } from "./health-thread.ts";

export interface HealthServerOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly notReadyStatus: 400 | 503;
  /** Which web pages may ask, and under which names. */
  readonly webGate: WebGateOptions;
  isReady(): boolean;
  readonly logger: Logger;
}

/** Health on a port of its own, answered by a thread of its own: also while this thread is away, or swamped with connections. */
export interface HealthServer {
  readonly address: AddressInfo;
  /** To be called at every turn of the loop's pulse: without it, health says no after a second. */
  beat(): void;
  /** Readiness changed: it shows from now on, not only at the next look. */
  refresh(): void;
  close(): Promise<void>;
}

/** Readiness goes through all models; it is looked at every so many beats. */
const BEATS_PER_LOOK = 10;
const HEAP_MIB = 16;

/** Rejects when the port cannot be had. */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const board = new HealthBoard();
  const { host, port, notReadyStatus, webGate, logger } = options;
  const thread = new Worker(new URL("./health-thread.js", import.meta.url), {
    workerData: { memory: board.memory, host, port, notReadyStatus, webGate } satisfies HealthThreadData,
    env: {},
    // What the program itself was started with, such as --eval, may not fit a file.
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB },
  });
  thread.unref();
  const [message] = (await once(thread, "message")) as [HealthThreadMessage];
  if ("error" in message) {
    await thread.terminate();
    throw Object.assign(new Error(message.error.message), { code: message.error.code });
  }
  thread.on("error", (err) =>
    logger.error({ err }, "the health thread ended: its port answers no more probes"),
  );
  let beats = 0;
  const refresh = (): void => board.setReady(options.isReady());
  board.beat(sharedNowMs());
  refresh();
  return {
    address: message.address,
    beat() {
      board.beat(sharedNowMs());
      if (beats++ % BEATS_PER_LOOK === 0) refresh();
    },
    refresh,
    async close() {
      await thread.terminate();
    },
  };
}
