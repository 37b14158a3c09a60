import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CalibratedModel, encodeCalibratedModel } from "../calibrated/calibrated-model.ts";
import { ROW_BYTES } from "./row.ts";

export interface VersionContent {
  readonly model?: Partial<CalibratedModel>;
  readonly options?: Readonly<Record<string, unknown>>;
}

/** A folder of calibrated models for one run, and the journals of their workers. */
export interface ModelFolder {
  readonly path: string;
  journalOf(model: string): string;
  /** Puts a version in place as a careful operator does: complete, then renamed. `options` go into its model.yaml. */
  publish(model: string, version: number, content: VersionContent): void;
  /** Puts new files in the place of a version's own, each by renaming. */
  replace(model: string, version: number, content: VersionContent): void;
  retire(model: string, version: number): void;
  remove(): void;
}

export function createModelFolder(): ModelFolder {
  const root = mkdtempSync(join(tmpdir(), "sconce-chaos-"));
  const path = join(root, "models");
  mkdirSync(path);
  const journalOf = (model: string): string => join(root, `${model}.journal`);
  const put = (file: string, content: string | Uint8Array): void => {
    const staged = join(root, "staged-file");
    writeFileSync(staged, content);
    renameSync(staged, file);
  };
  const putOptions = (model: string, { options }: VersionContent): void => {
    if (options !== undefined) put(join(path, model, "model.yaml"), JSON.stringify(options));
  };
  const encode = (model: string, version: number, content: VersionContent): Uint8Array =>
    encodeCalibratedModel({
      width: ROW_BYTES,
      journal: journalOf(model),
      tag: version,
      ...content.model,
    });
  return {
    path,
    journalOf,
    publish(model, version, content) {
      mkdirSync(join(path, model), { recursive: true });
      putOptions(model, content);
      const staged = join(root, `staged-${model}-${version}`);
      mkdirSync(staged);
      writeFileSync(join(staged, "model.onnx"), encode(model, version, content));
      renameSync(staged, join(path, model, String(version)));
    },
    replace(model, version, content) {
      putOptions(model, content);
      put(join(path, model, String(version), "model.onnx"), encode(model, version, content));
    },
    retire(model, version) {
      rmSync(join(path, model, String(version)), { recursive: true });
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
