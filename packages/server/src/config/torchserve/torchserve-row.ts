/**
 * What becomes of a setting of TorchServe: `same`: it does here what it did there; `other`: something else is done, which the note says; `none`: it cannot be had; `idle`: there is
 * nothing here that it could change.
 */
export type RowOutcome = "same" | "other" | "none" | "idle";

/** A key of config.properties, or of what it says of one model, and what becomes of it. */
export interface TorchserveRow {
  readonly key: string;
  readonly value: string;
  readonly outcome: RowOutcome;
  /** As it is written here: `port: 8080`; "" where there is no such thing. */
  readonly becomes: string;
  /** What is different and what to do, in a sentence; "" where nothing needs to be said. */
  readonly note: string;
}
