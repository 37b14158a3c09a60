import type { ClientManner } from "./why-clients.ts";

/** A server that is slow for one reason, and how one can be had. */
export type WhyCause = FileCause | LiveCause | AbsentCause;

/** A file that `sconce why` serves itself and puts its own load on. */
export interface FileCause {
  readonly kind: "file";
  /** The finding; `undefined`: there is nothing to find. */
  readonly id: string | undefined;
  /** Writes the model; the arguments of `sconce why` for it. */
  args(folder: string): readonly string[] | Promise<readonly string[]>;
  /** Where no private server can try the change: the arguments of a model that has it. */
  mended?(folder: string): readonly string[];
}

/** A server with clients of ours, which `sconce why` looks on. */
export interface LiveCause {
  readonly kind: "live";
  readonly id: string;
  /** Writes the models; the arguments of `sconce serve`. */
  serve(folder: string): readonly string[];
  readonly model: string;
  /** More for `sconce why`; `--load` among them: it comes instead of clients. */
  readonly whyArgs?: readonly string[];
  /** What clients do; besides that, what else happens meanwhile. */
  readonly manner?: ClientManner;
  readonly mended?: ClientManner;
  meanwhile?(server: { readonly url: string; readonly pid: number }, signal: AbortSignal): Promise<void>;
  /** Every piece takes so long to and from the server. */
  readonly wayMs?: number;
  /** Clients come when the window has begun. */
  readonly startsLate?: boolean;
  /** What the gain is of: default the mean latency. */
  readonly gainOf?: "perSecond";
}

/** A cause that cannot be had by a program alone. */
export interface AbsentCause {
  readonly kind: "absent";
  readonly id: string;
  readonly why: string;
}
