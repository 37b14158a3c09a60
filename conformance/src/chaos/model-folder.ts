import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CalibratedModel, encodeCalibratedModel } from "../calibrated/calibrated-model.ts";
import { ROW_BYTES } from "./row.ts";

/** A folder of calibrated models for one run, and the journals of their workers. */
export interface ModelFolder {
  readonly path: string;
  journalOf(model: string): string;
  /** Puts a version in place as a careful operator does: complete, then renamed. `options` go into its model.yaml. */
  publish(
    model: string,
    version: number,
    content: {
      readonly model?: Partial<CalibratedModel>;
      readonly options?: Readonly<Record<string, unknown>>;
    },
  ): void;
  retire(model: string, version: number): void;
  remove(): void;
}

export function createModelFolder(): ModelFolder {
  const root = mkdtempSync(join(tmpdir(), "sconce-chaos-"));
  const path = join(root, "models");
  mkdirSync(path);
  const journalOf = (model: string): string => join(root, `${model}.journal`);
  return {
    path,
    journalOf,
    publish(model, version, { model: description, options }) {
      const folder = join(path, model);
      mkdirSync(folder, { recursive: true });
      if (options !== undefined) writeFileSync(join(folder, "model.yaml"), JSON.stringify(options));
      const staged = join(root, `staged-${model}-${version}`);
      mkdirSync(staged);
      const bytes = encodeCalibratedModel({
        width: ROW_BYTES,
        journal: journalOf(model),
        tag: version,
        ...description,
      });
      writeFileSync(join(staged, "model.onnx"), bytes);
      renameSync(staged, join(folder, String(version)));
    },
    retire(model, version) {
      rmSync(join(path, model, String(version)), { recursive: true });
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
