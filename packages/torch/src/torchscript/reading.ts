import type { PickleValue } from "../checkpoint/pickle-value.ts";
import type { CodeLibrary } from "./code-library.ts";
import type { ModuleState } from "./module-state.ts";
import type { ObjectGraph } from "./object-graph.ts";
import type { OpCaller } from "./op-caller.ts";
import type { UnsupportedLog } from "./unsupported-log.ts";

/** What a program is read with. */
export interface Reading {
  readonly library: CodeLibrary;
  readonly objects: ObjectGraph;
  /** The tuple of `constants.pkl`. */
  readonly constants: PickleValue;
  readonly constantObjects: ObjectGraph;
  readonly ops: OpCaller;
  readonly state: ModuleState;
  readonly unsupported: UnsupportedLog;
  /** Sizes with a name are the caller's in every reading: what depends on one is decided in the run, as what depends on the data is. */
  readonly areSizesStated: boolean;
}
