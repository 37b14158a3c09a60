import { existsSync, mkdtempSync, rmdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { atExit } from "../base/at-exit.ts";
import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { ServerConfig } from "../config/server-options.ts";
import type { RepositoryPath } from "../models/repository.ts";
import { findSandbox } from "../worker/find-sandbox.ts";
import type { Sandbox } from "../worker/sandbox.ts";

/** What keeps the workers of a server from the rest of the machine. */
export interface OpenSandbox {
  readonly sandbox: Sandbox;
  /** Removes its empty folder. */
  close(): void;
}

/** Undefined: workers run without, as was asked, or, with `auto`, because the system has none, which the log says. Throws `failed_precondition`/`no_sandbox`. */
export function openSandbox(
  { sandbox: wanted, sandboxRead }: ServerConfig,
  paths: readonly RepositoryPath[],
  logger: Logger,
): OpenSandbox | undefined {
  if (wanted === "off") return undefined;
  const root = mkdtempSync(join(tmpdir(), "sconce-sandbox-"));
  const close = (): void => {
    forget();
    try {
      rmdirSync(root);
    } catch {
      // Somebody has cleaned up already.
    }
  };
  const forget = atExit(close);
  const reads = [
    ...ownFolders(),
    ...modulePaths(),
    ...paths.map(({ path }) => folderOf(path)),
    ...sandboxRead,
  ];
  const { sandbox, missing, unfiltered } = findSandbox({ reads, root });
  if (sandbox !== undefined) {
    logger.info(
      { sandboxRead },
      "workers run in a sandbox: no network, no other processes, and no files but the models",
    );
    if (unfiltered !== undefined) logger.warn({}, `workers may make any system call: ${unfiltered}`);
    return { sandbox, close };
  }
  close();
  if (wanted === "auto") {
    logger.warn({}, `workers run without a sandbox: ${missing}`);
    return undefined;
  }
  throw new ServeError("failed_precondition", `--sandbox required: there is none here: ${missing}`, {
    reason: "no_sandbox",
  });
}

/** A file's folder: files are replaced by renaming others over them, and what lies beside a model may belong to it. */
function folderOf(path: string): string {
  return existsSync(path) && statSync(path).isDirectory() ? path : dirname(path);
}

/** The server's own code, and the packages that it is made of. */
function ownFolders(): string[] {
  const { resolve } = createRequire(import.meta.url);
  const files = ["onnxruntime-node", "@sconce/torch/formats", "@sconce/protocol"].map((name) =>
    resolve(name),
  );
  const modules = files.map((file) => file.slice(0, file.lastIndexOf(`${sep}node_modules${sep}`)));
  const packages = files.filter((file) => !file.includes(`${sep}node_modules${sep}`)).map(packageOf);
  const shared = modules
    .filter((folder, i) => folder.length < files[i]!.length)
    .map((folder) => join(folder, "node_modules"));
  return [fileURLToPath(new URL("../../", import.meta.url)), ...shared.filter(existsSync), ...packages];
}

function packageOf(file: string): string {
  let folder = dirname(file);
  while (!existsSync(join(folder, "package.json")) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}

/** Where Python was told to find modules. */
function modulePaths(): string[] {
  return (process.env["PYTHONPATH"] ?? "").split(delimiter).filter((path) => path !== "");
}
