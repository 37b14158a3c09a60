import type { TorchserveManagement } from "./management.ts";

/** What of TorchServe's APIs an edge answers. */
export interface TorchserveApis {
  readonly management: TorchserveManagement;
  /** Its management API is on the same port as everything else. */
  readonly withManagement: boolean;
  /** The edge answers this part of it and nothing else. */
  readonly only?: "management" | "metrics";
}
