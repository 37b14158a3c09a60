import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { StoreState } from "../base/store-state.ts";
import type { Mirror, MirrorChange } from "./mirror.ts";
import { storeError } from "./store-error.ts";

export interface MirrorKeeperOptions {
  readonly mirror: Pick<Mirror, "readAtMs" | "sync">;
  /** The address, for messages. */
  readonly display: string;
  /** How often to look again; undefined: not, once it has been read. */
  readonly intervalMs: number | undefined;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  /** Called after every change of the state or the copy. */
  readonly onChange: () => void;
  readonly onOutcome: (isRead: boolean) => void;
}

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** How long a copy waits for its store to say that it is the newest. */
const GRACE_MS = 5000;

/** Keeps one copy in step with its store, and says what there is. */
export class MirrorKeeper {
  readonly #options: MirrorKeeperOptions;
  readonly #abort = new AbortController();
  #state: StoreState;
  #failures = 0;
  #running: Promise<void> | undefined;
  #cancelTimer = (): void => {};
  #cancelGrace = (): void => {};

  constructor(options: MirrorKeeperOptions) {
    this.#options = options;
    this.#state = { kind: "pending", reason: `${options.display} is being read` };
  }

  get state(): StoreState {
    return this.#state;
  }

  /** Begins to look. Resolves when it is known what to serve: the store's state, a copy, or nothing. */
  start(): Promise<void> {
    const { clock, mirror, display } = this.#options;
    return new Promise((resolve) => {
      if (mirror.readAtMs !== undefined) {
        this.#cancelGrace = clock.after(GRACE_MS, () => {
          this.#set({ kind: "kept", remark: `${this.#copyWords()}: ${display} has not been read yet` });
          resolve();
        });
      }
      void this.look().then(resolve);
    });
  }

  /** Looks at the store now, or joins the look that is under way. Never rejects. */
  look(): Promise<void> {
    this.#running ??= this.#look().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  close(): void {
    this.#abort.abort();
    this.#cancelTimer();
    this.#cancelGrace();
  }

  async #look(): Promise<void> {
    this.#cancelTimer();
    if (this.#abort.signal.aborted) return;
    try {
      this.#onRead(await this.#options.mirror.sync(this.#abort.signal));
    } catch (thrown) {
      if (this.#abort.signal.aborted) return;
      this.#onFailed(thrown);
    }
    this.#cancelGrace();
    this.#lookLater();
  }

  #onRead(change: MirrorChange | undefined): void {
    const { display: store, logger, onOutcome } = this.#options;
    onOutcome(true);
    if (this.#failures > 0) logger.info({}, `${store} can be read again`);
    this.#failures = 0;
    if (change !== undefined) logger.info(change, changeWords(store, change));
    this.#set({ kind: "current" }, change !== undefined);
  }

  #onFailed(thrown: unknown): void {
    const { display: store, logger, mirror, onOutcome } = this.#options;
    onOutcome(false);
    this.#failures += 1;
    const { message, reason, cause } = storeError(thrown);
    const isCopy = mirror.readAtMs !== undefined;
    const what = `${store} cannot be read: ${message}`;
    const next: StoreState = isCopy
      ? { kind: "kept", remark: `${this.#copyWords()}: ${what}` }
      : { kind: "absent", reason: `${what}; it is tried again` };
    // The registry says it of each model, once.
    logger.debug({ reason, err: cause }, what);
    this.#set(next);
  }

  #set(state: StoreState, isNews = wordsOf(state) !== wordsOf(this.#state)): void {
    const before = this.#state.kind;
    this.#state = state;
    if (isNews || before !== state.kind) this.#options.onChange();
  }

  #lookLater(): void {
    const { clock, intervalMs, random } = this.#options;
    if (this.#failures === 0 && intervalMs === undefined) return;
    const backoffMs =
      Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#failures - 1)) * (0.5 + random() / 2);
    const delayMs = this.#failures === 0 ? (intervalMs ?? 0) : Math.max(backoffMs, intervalMs ?? 0);
    this.#cancelTimer = clock.after(delayMs, () => void this.look());
  }

  #copyWords(): string {
    return `the copy of ${new Date(this.#options.mirror.readAtMs ?? 0).toISOString()} serves`;
  }
}

function wordsOf(state: StoreState): string {
  if (state.kind === "kept") return state.remark;
  return state.kind === "current" ? "" : state.reason;
}

function changeWords(store: string, { files, removed }: MirrorChange): string {
  const parts = [
    ...(files > 0 ? [`${files} ${files === 1 ? "file was" : "files were"} downloaded`] : []),
    ...(removed > 0 ? [`${removed} removed`] : []),
  ];
  return `${store}: ${parts.join(", ") || "read"}`;
}
