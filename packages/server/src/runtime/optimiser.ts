import type { Logger } from "../base/logger.ts";
import { NO_CHUNKS } from "../worker/frame-writer.ts";
import type { Worker } from "../worker/worker.ts";
import { encodeMessage, METHODS } from "./model-messages.ts";
import type { LoadSpec } from "./runtime.ts";

export interface OptimiserOptions {
  /** Starts a worker that loads no model. */
  spawn(id: string): Worker;
  readonly logger: Logger;
}

/** Models beyond that wait for the next start. */
const MOST_WAITING = 16;

/**
 * Makes later starts of models faster, one model at a time, each in a worker that ends with its work. Nothing depends on it: what fails is only
 * logged.
 */
export class Optimiser {
  readonly #options: OptimiserOptions;
  readonly #waiting: LoadSpec[] = [];
  #worker: Worker | undefined;
  #count = 0;
  #isClosed = false;

  constructor(options: OptimiserOptions) {
    this.#options = options;
  }

  add(spec: LoadSpec): void {
    if (this.#isClosed || this.#waiting.length >= MOST_WAITING) return;
    this.#waiting.push(spec);
    if (this.#worker === undefined) void this.#work();
  }

  /** Ends what is under way. */
  destroy(reason: string): void {
    this.#isClosed = true;
    this.#waiting.length = 0;
    this.#worker?.destroy(reason);
  }

  async #work(): Promise<void> {
    for (let spec = this.#waiting.shift(); spec !== undefined; spec = this.#waiting.shift()) {
      this.#count++;
      const worker = this.#options.spawn(`o${this.#count}`);
      this.#worker = worker;
      await this.#optimise(worker, spec);
      this.#worker = undefined;
    }
  }

  async #optimise(worker: Worker, spec: LoadSpec): Promise<void> {
    const logger = this.#options.logger.child({ model: spec.name, version: spec.version });
    try {
      await worker.ready;
      await worker.call({
        method: METHODS.optimise,
        header: encodeMessage({ spec, wantsDigest: true }),
        chunks: NO_CHUNKS,
        timeoutMs: spec.options.loadTimeoutMs,
      });
      logger.debug({}, "tried to make later starts of the model faster");
    } catch (error) {
      if (!this.#isClosed) logger.warn({ err: error }, "later starts of the model will not be faster");
    } finally {
      await worker.close();
    }
  }
}
