import type { TorchserveRow } from "../../config/torchserve/torchserve-row.ts";

/** What a move from another server comes to. Plain data: `--json` prints it. */
export interface Plan {
  readonly from: "torchserve" | "triton";
  /** The folder of models, and the configuration beside it where there is one. */
  readonly store: string;
  readonly config: string | undefined;
  /** What becomes of the server's settings. */
  readonly settings: readonly TorchserveRow[];
  readonly models: readonly MigratedModel[];
  /** What is to be known besides, each in a sentence. */
  readonly notes: readonly string[];
  readonly files: readonly PlannedFile[];
  /** The command that serves it then. */
  readonly command: string;
}

/** A version of a model of the other server. */
export interface MigratedModel {
  readonly name: string;
  readonly version: string;
  /** Below the store. */
  readonly file: string;
  /** What will run it; undefined: nothing does. */
  readonly runtime: "onnx" | "python" | undefined;
  /** Why that, or why nothing and what to do. */
  readonly why: string;
  readonly settings: readonly TorchserveRow[];
  /** What is different or needed, each in a sentence. */
  readonly notes: readonly string[];
}

/** A file of the new place: with a text, or the same as another file. */
export type PlannedFile =
  | { readonly path: string; readonly text: string }
  | { readonly path: string; readonly sameAs: string };

/** How many models and settings stand against the move. */
export function openPoints({ settings, models }: Pick<Plan, "settings" | "models">): number {
  const lost = (rows: readonly TorchserveRow[]): number =>
    rows.filter(({ outcome }) => outcome === "none").length;
  return models.reduce(
    (sum, model) => sum + (model.runtime === undefined ? 1 : 0) + lost(model.settings),
    lost(settings),
  );
}
