import type { BaseConfig } from "../../config/load-config.ts";

/** What `sconce serve` is told by TorchServe's config.properties. */
export interface TorchserveWishes {
  readonly base: BaseConfig;
  /** What is served: `PATH` and `NAME=PATH`. */
  readonly paths: readonly string[];
  /** What is not done as TorchServe does it, each in a sentence. */
  readonly notes: readonly string[];
}
