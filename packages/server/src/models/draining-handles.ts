import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { ServedModelHandle } from "./served-model-handle.ts";

export interface DrainingHandlesOptions {
  /** Of the version whose they are, for the log. */
  readonly model: string;
  readonly version: string;
  /** A handle is destroyed when for so long none of its requests has ended. */
  readonly drainTimeoutMs: number;
  /** Told when a handle has given its memory back. */
  onReleased(handle: ServedModelHandle): void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What was loaded of one version and takes no requests any more: it finishes those that it has, and closes. */
export class DrainingHandles {
  readonly #options: DrainingHandlesOptions;
  readonly #handles = new Set<ServedModelHandle>();
  #released: Promise<void> = Promise.resolve();

  constructor(options: DrainingHandlesOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#handles.size === 0;
  }

  /** Resolves when all that were added so far have given their memory back. */
  get released(): Promise<void> {
    return this.#released;
  }

  /** `released` is not to resolve before this has. */
  wait(other: Promise<void>): void {
    this.#released = Promise.all([this.#released, other]).then(() => {});
  }

  /** Closes a handle and owns it from now on. Calls `then` when it is closed, before `onReleased`. */
  add(handle: ServedModelHandle, then: () => void): Promise<void> {
    const { logger, model, version, onReleased } = this.#options;
    this.#handles.add(handle);
    const cancel = this.#watchDrain(handle);
    const closed = handle
      .close()
      .catch((error: unknown) => {
        logger.warn({ model, version, err: error }, "a model did not close cleanly");
        handle.destroy("it did not close cleanly");
      })
      .then(() => {
        cancel();
        this.#handles.delete(handle);
        then();
        onReleased(handle);
      });
    this.wait(closed);
    return closed;
  }

  /** Ends them all now. */
  destroy(reason: string): void {
    for (const handle of this.#handles) handle.destroy(reason);
  }

  /** Destroys a handle of whose requests none ends any more. A long queue that moves is no reason to lose it. */
  #watchDrain(handle: ServedModelHandle): () => void {
    const { clock, drainTimeoutMs } = this.#options;
    let cancel = (): void => {};
    const watch = (inFlight: number): void => {
      cancel = clock.after(drainTimeoutMs, () => {
        const left = handle.inFlight();
        if (left > 0 && left < inFlight) watch(left);
        else handle.destroy("it did not drain in time");
      });
    };
    watch(handle.inFlight());
    return () => cancel();
  }
}
