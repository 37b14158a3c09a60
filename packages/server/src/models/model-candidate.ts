import type { FileFormat } from "@sconce/torch/formats";
import type { SettingsFile } from "../config/settings-file.ts";
import type { ModelFormat } from "./model-file.ts";

/** One version of one model as it lies on disk: plain data, whether or not it can be served. */
export interface ModelCandidate {
  readonly name: string;
  /** A positive decimal number without leading zeros; "1" when the layout names none. */
  readonly version: string;
  /** Absolute path of the file to load, which is the code where there are no weights; empty when there is none. */
  readonly file: string;
  /** The served folder that `file` lies in, without links; empty when there is no file. */
  readonly root: string;
  readonly format: ModelFormat;
  /** Absolute path of model.yaml, if the model has one. */
  readonly configFile: string | undefined;
  /** Absolute path of the settings of another server, if the model has such. */
  readonly foreignFile: string | undefined;
  /** Absolute path of labels.txt, if the model has one. */
  readonly labelsFile: string | undefined;
  /** What these files say; undefined without any, or when one could not be read. */
  readonly settings: SettingsFile | undefined;
  /** The files beside the chosen one that the settings may name instead. */
  readonly otherFiles: readonly OtherFile[];
  /** Absolute path of model.py, if the model has one. */
  readonly codeFile: string | undefined;
  /** Why it cannot be served and what to do, in words for the user; undefined when it can be tried. */
  readonly problem: string | undefined;
  /** Somebody meant it as a model: it has a model's file, version folder or settings, or is an empty folder with a model's name. */
  readonly looksLikeModel: boolean;
  /** What lies beside it and is not used, though somebody meant it; "" when there is no such thing. */
  readonly remark: string;
  /** True when the problem is that something could not be read just now: no statement about what is on disk. */
  readonly unreadable: boolean;
  /** It stands for a whole store that cannot be read: any model may lie there. */
  readonly hidesOthers?: boolean;
  /** Size of the model file. */
  readonly bytes: number;
  /** Changes when any file of the model does (names, sizes, modification times, inodes). */
  readonly fingerprint: string;
}

/** A model file that lies beside the one that was chosen. */
export interface OtherFile {
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  readonly format: FileFormat;
  readonly bytes: number;
}

/** What a look at the disk found. */
export interface ScanResult {
  /** Sorted by name, then version. No two share both. */
  readonly candidates: readonly ModelCandidate[];
  /** Findings that belong to no candidate, such as a second file that claims a taken name. Words for the log. */
  readonly problems: readonly string[];
  /** False when a whole path could not be listed: what is missing from `candidates` may still be there. */
  readonly complete: boolean;
  /** True while a store is read for the first time: what it holds is not among `candidates` yet. */
  readonly pending?: boolean;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const VERSION = /^[1-9][0-9]{0,17}$/;

/** Names that are safe in URLs, metrics and logs. */
export function isModelName(text: string): boolean {
  return NAME.test(text);
}

/** Versions are positive decimal numbers (Triton's layout); leading zeros are not versions. */
export function isModelVersion(text: string): boolean {
  return VERSION.test(text);
}

/** Orders versions as numbers, however long. */
export function compareVersions(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}
