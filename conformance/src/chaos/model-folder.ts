import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CalibratedModel, encodeCalibratedModel } from "../calibrated/calibrated-model.ts";
import { ROW_BYTES } from "./row.ts";

export type ModelFiles = Readonly<Record<string, Uint8Array | string>>;

export interface VersionContent {
  readonly model?: Partial<CalibratedModel>;
  readonly options?: Readonly<Record<string, unknown>>;
}

/** A folder of models for one run, and the journals of their workers. */
export interface ModelFolder {
  readonly path: string;
  /** Where a plan of faults is put for the server to find. */
  readonly faultPlan: string;
  /** An empty folder, for what the server may want to write. */
  readonly temporary: string;
  journalOf(model: string): string;
  /** Puts a version in place as a careful operator does: complete, then renamed. `options` go into its model.yaml. */
  publish(model: string, version: number, content: VersionContent): void;
  /** The same for a model of any kind: its files by name. */
  publishFiles(model: string, version: number, files: ModelFiles): void;
  /** Puts new files in the place of a version's own, each by renaming. */
  replace(model: string, version: number, content: VersionContent): void;
  /** Writes the model.yaml that all versions of a model share. */
  configure(model: string, options: Readonly<Record<string, unknown>>): void;
  /** Settings that all models start from, and options of the server; before the server starts. */
  configureAll(models: Readonly<Record<string, unknown>>, server?: Readonly<Record<string, unknown>>): void;
  /** The server's configuration file. */
  readonly configFile: string;
  retire(model: string, version: number): void;
  remove(): void;
}

export function createModelFolder(): ModelFolder {
  const root = mkdtempSync(join(tmpdir(), "sconce-chaos-"));
  const path = join(root, "models");
  mkdirSync(path);
  const temporary = join(root, "temporary");
  mkdirSync(temporary);
  const publishFiles: ModelFolder["publishFiles"] = (model, version, files) => {
    const folder = join(path, model);
    mkdirSync(folder, { recursive: true });
    const staged = join(root, `staged-${model}-${version}`);
    mkdirSync(staged);
    for (const [name, content] of Object.entries(files)) writeFileSync(join(staged, name), content);
    renameSync(staged, join(folder, String(version)));
  };
  const configFile = join(root, "sconce.yaml");
  writeFileSync(configFile, "{}");
  const journalOf = (model: string): string => join(root, `${model}.journal`);
  const put = (file: string, content: string | Uint8Array): void => {
    const staged = join(root, "staged-file");
    writeFileSync(staged, content);
    renameSync(staged, file);
  };
  const configure: ModelFolder["configure"] = (model, options) => {
    mkdirSync(join(path, model), { recursive: true });
    put(join(path, model, "model.yaml"), JSON.stringify(options));
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
    faultPlan: join(root, "faults.json"),
    temporary,
    publish(model, version, content) {
      if (content.options !== undefined) configure(model, content.options);
      publishFiles(model, version, { "model.onnx": encode(model, version, content) });
    },
    replace(model, version, content) {
      if (content.options !== undefined) configure(model, content.options);
      put(join(path, model, String(version), "model.onnx"), encode(model, version, content));
    },
    configure,
    configureAll: (models, server = {}) => writeFileSync(configFile, JSON.stringify({ ...server, models })),
    configFile,
    publishFiles,
    retire(model, version) {
      rmSync(join(path, model, String(version)), { recursive: true });
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
