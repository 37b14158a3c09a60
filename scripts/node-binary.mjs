// Binaries of Node in versions of our choice. The npm packages `node-<system>-<processor>` bring them; they are put in the user's cache
// folder once.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, locked, runQuietly } from "./made-once.mjs";

/** The newest of each line when this was written. */
export const NODE_VERSIONS = ["22.23.5", "24.22.3", "26.12.1"];
const SYSTEM = process.platform === "win32" ? "win" : process.platform;
const PACKAGE = `node-${SYSTEM}-${process.arch}`;
const BINARY = process.platform === "win32" ? "bin/node.exe" : "bin/node";

async function install(version, folder) {
  const temporary = mkdtempSync(`${folder}.tmp-`);
  try {
    console.error(`fetching Node ${version} to ${folder} (once)`);
    const options = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", temporary];
    const failure = await runQuietly("npm", ["install", ...options, `${PACKAGE}@${version}`]);
    if (failure !== undefined) throw new Error(`no Node ${version}: ${failure}`);
    renameSync(join(temporary, "node_modules", PACKAGE), folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** The folder of a version, fetched on first use: `bin`, and what else comes with it. Throws when it cannot be had. */
export async function nodeFolder(version) {
  const folder = join(cacheFolder(), `node-${version}`);
  mkdirSync(cacheFolder(), { recursive: true });
  if (!existsSync(folder)) {
    await locked(`${folder}.lock`, () => (existsSync(folder) ? undefined : install(version, folder)));
  }
  return folder;
}

/** The binary of a version. */
export async function nodeBinary(version) {
  return join(await nodeFolder(version), BINARY);
}
