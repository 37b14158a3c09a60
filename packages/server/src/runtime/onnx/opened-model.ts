import type { ByteSource } from "@sconce/torch";
import type { OpenFile } from "../../base/open-below.ts";
import type { Signature } from "../../base/signature.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { LoadOptions } from "../runtime.ts";
import type { EngineSession } from "./engine-session.ts";
import type { TranslatedProgram } from "./translated-program.ts";

/** A file that became a session, and what was learned on the way. */
export interface OpenedModel {
  readonly session: EngineSession;
  /** Another session of the same model, with so many threads. */
  reopen(threads: number): Promise<EngineSession>;
  readonly signature: Signature;
  /** Why rows of one run change each other's answers, in words that follow "because"; undefined: nothing is known that does. */
  readonly rowMixing: string | undefined;
  /** The session's names of the outputs, in signature order. Its inputs are in that order as they are. */
  readonly outputNames: readonly string[];
  readonly platform: string;
  readonly runtimeReason: string;
  readonly parameterCount: number;
  readonly weightBytes: number;
  readonly warnings: readonly string[];
  /** How long each step took in milliseconds. */
  readonly loadMs: Readonly<Record<string, number>>;
  /** Whether a run reads nothing of the model's files: all of it was copied when it was opened. */
  readonly isCopied: boolean;
  /** Inputs that came with the file, for the warm-up. */
  readonly sampleInputs: readonly Tensor[] | undefined;
  /** What it was opened from, where that is a translation that was made just now. */
  readonly translated?: TranslatedProgram;
}

export interface OpenContext {
  readonly options: LoadOptions;
  /** Names the stage that begins. */
  readonly progress: (stage: string) => void;
  /** The folder that is served; see LoadSpec. */
  readonly root: string;
  /** Holds every further file of the model open, and reads it. */
  readonly hold: (file: OpenFile) => ByteSource;
  /** The same for a file that was made from those. */
  readonly holdOwn: (file: OpenFile) => void;
}
