export type ChangeKind = "load" | "unload";

/** A load or an unload under way. */
export interface Change {
  readonly kind: ChangeKind;
  /** What lay on disk when it began: a load brings that, or something newer. */
  readonly content: number;
  /** No change of the other kind was under way at the same time. */
  isAlone: boolean;
}

/** A request under way that finds out whether a model serves, and what it may find. */
export interface Look {
  mayServe: boolean;
  mayRefuse: boolean;
  /** The newest content that was confirmed before it began. */
  readonly oldest: number;
}

/** What a look found. Content counts up with everything that is published; undefined: the look does not show it. */
export type Sight =
  | { readonly serves: true; readonly content: number | undefined }
  | { readonly serves: false };

/**
 * What clients know of one model from the order in which their requests began and ended. A model is a register that loads and unloads
 * write: whatever happened between the beginning and the end of a request may be what it saw, anything else may not.
 */
export class ModelHistory {
  readonly #changes = new Set<Change>();
  readonly #looks = new Set<Look>();
  #state: "loaded" | "unloaded" | "either";
  #published: number;
  #onDisk: number;
  #confirmed: number;

  constructor(start: { readonly isLoaded: boolean; readonly content: number }) {
    this.#state = start.isLoaded ? "loaded" : "unloaded";
    this.#published = start.content;
    this.#onDisk = start.content;
    this.#confirmed = start.content;
  }

  /** `either`: a load and an unload overlapped, and their order is the server's secret. */
  get state(): "loaded" | "unloaded" | "either" {
    return this.#state;
  }

  get published(): number {
    return this.#published;
  }

  /** Call it before files are touched; the returned function once they are in place. One at a time. */
  publish(): () => void {
    const content = ++this.#published;
    return () => {
      this.#onDisk = content;
    };
  }

  begin(kind: ChangeKind): Change {
    const rivals = [...this.#changes].filter((other) => other.kind !== kind);
    for (const rival of rivals) rival.isAlone = false;
    const change = { kind, content: this.#onDisk, isAlone: rivals.length === 0 };
    this.#changes.add(change);
    if (this.#state !== stateAfter(kind)) this.#state = "either";
    for (const look of this.#looks) {
      if (kind === "load") look.mayServe = true;
      else look.mayRefuse = true;
    }
    return change;
  }

  end(change: Change, isDone: boolean): void {
    this.#changes.delete(change);
    if (!isDone) return;
    if (change.kind === "load") this.#confirmed = Math.max(this.#confirmed, change.content);
    if (change.isAlone) this.#state = stateAfter(change.kind);
  }

  /** What was found when nothing was under way any more: all that look later must find the same. */
  decide(isLoaded: boolean): void {
    this.#state = isLoaded ? "loaded" : "unloaded";
  }

  beginLook(): Look {
    const look = {
      mayServe: this.#state !== "unloaded",
      mayRefuse: this.#state !== "loaded",
      oldest: this.#confirmed,
    };
    this.#looks.add(look);
    return look;
  }

  /** What is wrong with what a look found; undefined: nothing. */
  endLook(look: Look, sight: Sight): string | undefined {
    this.#looks.delete(look);
    if (!sight.serves) return look.mayRefuse ? undefined : "refused although it was loaded all the time";
    if (!look.mayServe) return "served although it was unloaded all the time";
    const { content } = sight;
    if (content === undefined || (content >= look.oldest && content <= this.#published)) return undefined;
    return `content ${content}, but ${look.oldest} was confirmed before and ${this.#published} is the newest`;
  }
}

function stateAfter(kind: ChangeKind): "loaded" | "unloaded" {
  return kind === "load" ? "loaded" : "unloaded";
}
