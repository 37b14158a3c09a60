/** An object that is told when a signal fires; where a closure costs nothing, that does as well. */
export interface AbortListener {
  handleEvent(): void;
}

type Listener = AbortListener | (() => void);

/** Says that a request is worth nothing any more: the client left, or its deadline passed. Every `AbortSignal` is one. */
export interface CancelSignal {
  readonly aborted: boolean;
  /** Why; undefined until it fires. */
  readonly reason: unknown;
  addEventListener(type: "abort", listener: Listener): void;
  removeEventListener(type: "abort", listener: Listener): void;
}

/** A call's own signal: what an `AbortController` does, without its events, which cost more than most of a small request's other work. */
export class CallSignal implements CancelSignal {
  aborted = false;
  reason: unknown = undefined;
  #listener: Listener | undefined = undefined;
  /** Those after the first; nearly never is there one. */
  #others: Listener[] | undefined = undefined;

  addEventListener(_type: "abort", listener: Listener): void {
    if (this.#listener === undefined) this.#listener = listener;
    else {
      this.#others ??= [];
      this.#others.push(listener);
    }
  }

  removeEventListener(_type: "abort", listener: Listener): void {
    if (this.#listener === listener) this.#listener = this.#others?.shift();
    else if (this.#others !== undefined) this.#others = this.#others.filter((other) => other !== listener);
  }

  /** Fires, once. */
  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const listeners = [this.#listener, ...(this.#others ?? [])];
    this.#listener = undefined;
    this.#others = undefined;
    for (const listener of listeners) {
      if (typeof listener === "function") listener();
      else listener?.handleEvent();
    }
  }
}

/** The same as an `AbortSignal`, for code that needs one. */
export function abortSignalOf(signal: CancelSignal): AbortSignal {
  const controller = new AbortController();
  const fire = (): void => controller.abort(signal.reason);
  if (signal.aborted) fire();
  else signal.addEventListener("abort", { handleEvent: fire });
  return controller.signal;
}
