import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ServeError } from "../base/errors.ts";
import { faultWords } from "../base/file-fault.ts";
import type { ScanResult } from "./model-candidate.ts";
import type { Repository, RepositoryPath } from "./repository.ts";

/** A model's files by their paths in its folder, such as `1/model.onnx`. */
export type UploadedFiles = ReadonlyMap<string, Uint8Array>;

export interface ModelUploadsOptions {
  /** Private to the server, and empty. Not owned: who made it deletes it. */
  readonly folder: string;
  /** Most bytes of all uploads together, 4 KiB for each file at least. */
  readonly maxBytes: number;
  /** Looks at a folder of it. */
  readonly open: (path: RepositoryPath) => Repository;
}

/** Files of a model that stand in place of those it had, until somebody decides. */
export interface Replacement {
  /** They are the model's from now on; what was uploaded before is deleted. */
  keep(): Promise<void>;
  /** What was there before is the model's again. */
  undo(): Promise<void>;
}

/** Models whose files came in requests. Each lies in a folder of its own, and hides what the operator's repository has under its name. */
export interface ModelUploads {
  /** The repository as requests have changed it. */
  over(repository: Repository): Repository;
  /**
   * Writes a model's files; those of any other model wait until this is decided. Rejects with `invalid_argument`/`bad_request` for a name that is not taken, and
   * `resource_exhausted`/`uploads_full`, `failed_precondition`/`load_failed` for what is no model.
   */
  replace(model: string, files: UploadedFiles): Promise<Replacement>;
  /** Deletes what was uploaded as this model. Whether there was something. */
  remove(model: string): Promise<boolean>;
}

interface Upload {
  readonly folder: string;
  readonly bytes: number;
  readonly repository: Repository;
  isDeleted: boolean;
}

/** Data that a runtime reads. What could be code, or name a program, comes from the operator alone. */
const FILE =
  /^(?:[1-9][0-9]{0,17}\/)?[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\.(?:onnx|pt2|pt|data|txt|json|pbtxt)$/;
const MOST_FILES = 256;
const LEAST_FILE_BYTES = 4096;

export function createModelUploads({ folder, maxBytes, open }: ModelUploadsOptions): ModelUploads {
  const uploads = new Map<string, Upload>();
  let heldBytes = 0;
  let made = 0;
  let turn: Promise<void> = Promise.resolve();

  const drop = async (upload: Upload): Promise<void> => {
    if (upload.isDeleted) return;
    upload.isDeleted = true;
    await rm(upload.folder, { recursive: true, force: true });
    heldBytes -= upload.bytes;
  };
  const write = async (model: string, files: UploadedFiles): Promise<Upload> => {
    const bytes = sizeOf(files);
    if (heldBytes + bytes > maxBytes) throw full(model, maxBytes);
    const own = join(folder, String(++made));
    const upload = {
      folder: own,
      bytes,
      repository: open({ path: own, name: model }),
      isDeleted: false,
    };
    heldBytes += bytes;
    try {
      await writeFiles(own, files);
      await checkUsable(model, upload.repository);
    } catch (cause) {
      await drop(upload);
      if (cause instanceof ServeError) throw cause;
      throw new ServeError(
        "unavailable",
        `the files of model "${model}" were not stored: ${faultWords(cause)}`,
        {
          reason: "file_unreadable",
          cause,
        },
      );
    }
    return upload;
  };

  return {
    over: (repository) => ({
      async scan(what) {
        const seen = [...uploads];
        const [scan, ...own] = await Promise.all([
          repository.scan(what),
          ...seen.map(([, upload]) => upload.repository.scan()),
        ]);
        return overlaid(scan!, own, new Set(seen.map(([model]) => model)));
      },
    }),
    async replace(model, files) {
      checkFiles(files);
      const before = turn;
      let done = (): void => {};
      turn = new Promise((resolve) => {
        done = resolve;
      });
      await before;
      let upload: Upload;
      try {
        upload = await write(model, files);
      } catch (error) {
        done();
        throw error;
      }
      const replaced = uploads.get(model);
      uploads.set(model, upload);
      return {
        async keep() {
          if (replaced !== undefined) await drop(replaced);
          done();
        },
        async undo() {
          if (uploads.get(model) === upload) {
            if (replaced === undefined || replaced.isDeleted) uploads.delete(model);
            else uploads.set(model, replaced);
          }
          await drop(upload);
          done();
        },
      };
    },
    async remove(model) {
      const upload = uploads.get(model);
      if (upload === undefined) return false;
      uploads.delete(model);
      await drop(upload);
      return true;
    },
  };
}

/** What served before would go on serving under what cannot be tried at all, and nobody be told. */
async function checkUsable(model: string, repository: Repository): Promise<void> {
  const { candidates } = await repository.scan();
  const problems = candidates.flatMap(({ problem }) => problem ?? []);
  if (problems.length === 0 && candidates.length > 0) return;
  const reason = problems.length === 0 ? "there is no model among its files" : problems.join("; ");
  throw new ServeError("failed_precondition", `model "${model}" was not loaded: ${reason}`, {
    reason: "load_failed",
  });
}

function checkFiles(files: UploadedFiles): void {
  if (files.size > MOST_FILES) throw bad("file:…", `a model has ${MOST_FILES} files at most`);
  for (const path of files.keys()) {
    if (FILE.test(path)) continue;
    throw bad(
      `file:${path.slice(0, 64)}`,
      "expected a plain name such as file:1/model.onnx, in a version's folder or in none, that ends in .onnx, .pt2, .pt, .data, .txt, .json or .pbtxt",
    );
  }
}

/** What they take of a disk: empty ones would fill it, too. */
function sizeOf(files: UploadedFiles): number {
  let bytes = 0;
  for (const content of files.values()) bytes += Math.max(content.byteLength, LEAST_FILE_BYTES);
  return bytes;
}

async function writeFiles(folder: string, files: UploadedFiles): Promise<void> {
  await mkdir(folder, { mode: 0o700 });
  for (const [path, content] of files) {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(file, content, { mode: 0o600, flag: "wx" });
  }
}

/** A scan in which uploaded models stand in place of those of their names. */
function overlaid(scan: ScanResult, own: readonly ScanResult[], names: ReadonlySet<string>): ScanResult {
  if (own.length === 0) return scan;
  const candidates = scan.candidates.filter(({ name }) => !names.has(name));
  return {
    ...scan,
    candidates: [...candidates, ...own.flatMap((one) => one.candidates)],
    problems: [...scan.problems, ...own.flatMap((one) => one.problems)],
  };
}

function full(model: string, maxBytes: number): ServeError {
  return new ServeError(
    "resource_exhausted",
    `model "${model}" was not stored: models that requests brought may have ${maxBytes} bytes together (--uploads-size); unload some`,
    { reason: "uploads_full" },
  );
}

function bad(field: string, what: string): ServeError {
  return new ServeError("invalid_argument", `parameters.${field}: ${what}`, { reason: "bad_request" });
}
