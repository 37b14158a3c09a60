import type { TorchserveManagement } from "./management.ts";
import type { Workflows } from "./workflows.ts";

export type RenewToken = (
  authorization: string | undefined,
  kind: "management" | "inference",
) => Promise<boolean>;

/** What of TorchServe's APIs an edge answers. */
export interface TorchserveApis {
  readonly management: TorchserveManagement;
  /** Undefined: there are none, nor URLs for them. */
  readonly workflows?: Workflows | undefined;
  /** Its management API is on the same port as everything else. */
  readonly withManagement: boolean;
  /** The edge answers this part of it and nothing else. */
  readonly only?: "management" | "metrics";
  /** Renews one of its tokens, for whoever holds the API key; resolves with whether they do. Undefined: it has no tokens, and who may do what is as everywhere. */
  readonly renewToken?: RenewToken | undefined;
}
