/** What a caller may do: use models, read how they do, load and unload them. */
export type Scope = "infer" | "metrics" | "admin";

export const SCOPES: readonly Scope[] = ["infer", "metrics", "admin"];

/** What a route or method asks of its caller; `nothing`: it answers everybody, and shows strangers no model. */
export type Need = Scope | "nothing";

/** So many requests a second on average, and so many at once. */
export interface CallerRate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Which models somebody may use. */
export interface ModelRight {
  /** Names, in which `*` stands for any text. Equal rights have equal texts. */
  readonly text: string;
  includes(model: string): boolean;
}

/** Who asks, as an authenticator has found out. */
export interface Caller {
  /** For the log: `key ci`, `token alice`. Holds no secret. */
  readonly name: string;
  /** Under which its requests wait, and are counted. */
  readonly tenant: string;
  readonly scopes: ReadonlySet<Scope>;
  /** Undefined: all. */
  readonly models: ModelRight | undefined;
  /** Undefined: what holds for every tenant. */
  readonly rate: CallerRate | undefined;
  /** By the wall clock, in milliseconds; Infinity: never. */
  readonly expiresAtMs: number;
}

/** Somebody without credentials where some are needed: a probe, or a stranger. */
export const STRANGER: Caller = {
  name: "a stranger",
  tenant: "",
  scopes: new Set(),
  models: { text: "", includes: () => false },
  rate: undefined,
  expiresAtMs: Number.POSITIVE_INFINITY,
};
