import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { ServeError } from "../../base/errors.ts";
import { faultWords } from "../../base/file-fault.ts";
import { writeFault } from "../output-draft.ts";
import { lineDiff } from "./line-diff.ts";
import type { PlannedFile } from "./plan.ts";

/** `same`: it is there as it should be; `differs`: something else is there. */
export type FileState = "new" | "same" | "differs";

/** A planned file beside what lies there. */
export interface ComparedFile {
  readonly path: string;
  readonly state: FileState;
  /** What would change, line by line; of a model's file, what it is the same as. */
  readonly diff: readonly string[];
  readonly planned: PlannedFile;
}

/** What writing the file would change on disk; nothing is written. */
export function compareFile(planned: PlannedFile): ComparedFile {
  const { path } = planned;
  if ("sameAs" in planned) {
    const state = existsSync(path) ? (isSame(path, planned.sameAs) ? "same" : "differs") : "new";
    return { path, state, diff: [`the same file as ${planned.sameAs}`], planned };
  }
  const before = existsSync(path) ? readText(path) : undefined;
  const state = before === undefined ? "new" : before === planned.text ? "same" : "differs";
  return { path, state, diff: state === "same" ? [] : lineDiff(before ?? "", planned.text), planned };
}

/** Writes what is new and, with `overwrite`, what differs. Returns what was left as it is. Throws `failed_precondition` with the path. */
export function writeFiles(
  files: readonly ComparedFile[],
  { overwrite }: { readonly overwrite: boolean },
): readonly string[] {
  const left: string[] = [];
  for (const { path, state, planned } of files) {
    if (state === "same") continue;
    // A model's file that is another one was put there by somebody: it is never taken away.
    if (state === "differs" && (!overwrite || "sameAs" in planned)) left.push(path);
    else write(planned);
  }
  return left;
}

function write(planned: PlannedFile): void {
  const { path } = planned;
  try {
    mkdirSync(dirname(path), { recursive: true });
    if ("text" in planned) writeWhole(path, planned.text);
    else link(planned.sameAs, path);
  } catch (cause) {
    const message = `${path} cannot be written: ${writeFault(cause, path)}`;
    throw new ServeError("failed_precondition", message, { reason: "unreadable_path", cause });
  }
}

/** Never half of it: a server may be reading the one that is there. */
function writeWhole(path: string, text: string): void {
  const draft = `${path}.${process.pid}.new`;
  try {
    writeFileSync(draft, text);
    renameSync(draft, path);
  } catch (cause) {
    rmSync(draft, { force: true });
    throw cause;
  }
}

/** Two names of one file take no room; between file systems it is a copy. */
function link(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

function isSame(path: string, other: string): boolean {
  const [a, b] = [statSync(path), statSync(other)];
  return a.ino === b.ino
    ? a.dev === b.dev
    : a.size === b.size && readFileSync(path).equals(readFileSync(other));
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new ServeError("failed_precondition", `${path}: ${faultWords(cause)}`, {
      reason: "unreadable_path",
      cause,
    });
  }
}
