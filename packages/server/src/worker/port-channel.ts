import { parentPort } from "node:worker_threads";
import type { Frame } from "./frame.ts";
import type { OutgoingFrame } from "./frame-writer.ts";
import { fromThreadMessage, type ThreadMessage, toThreadMessage } from "./thread-message.ts";

/** A thread's connection to the server process it lives in. */
export class PortChannel {
  readonly #port: NonNullable<typeof parentPort>;
  readonly #waiting: Frame[] = [];
  #isClosed = false;
  #wake: (() => void) | undefined;

  constructor() {
    if (parentPort === null) throw new Error("a worker needs a server process");
    this.#port = parentPort;
    this.#port.on("message", (message: ThreadMessage) => {
      this.#waiting.push(fromThreadMessage(message));
      this.#wake?.();
    });
    this.#port.on("close", () => {
      this.#isClosed = true;
      this.#wake?.();
    });
  }

  /** The next frame; undefined: the port was closed. */
  receive(): Frame | undefined | Promise<Frame | undefined> {
    return this.#waiting.shift() ?? this.#wait();
  }

  async #wait(): Promise<Frame | undefined> {
    while (this.#waiting.length === 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#waiting.shift();
  }

  send(frame: OutgoingFrame): boolean {
    const message = toThreadMessage(frame);
    this.#port.postMessage(message, [message.payload]);
    return !this.#isClosed;
  }
}
