import type { Authenticator } from "../gate/authenticator.ts";
import type { Administration } from "../infer/administration.ts";

/** The control plane as somebody uses it, who is named in the log. */
export type Audit = (administration: Administration, by: string) => Administration;

/** What the edges of a server share that knows its callers. */
export interface Authentication {
  readonly authenticator: Authenticator;
  readonly audit: Audit;
  /** Told who asked for the control plane without a right to it. */
  denied(by: string): void;
}
