// Runs the smoke and unit tests on every Node that is supported and is not this one. The npm packages `node-<system>-<processor>` bring
// the binaries, which are put in the user's cache folder once. Arguments: versions or beginnings of them; without any, all.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, locked, runQuietly } from "./made-once.mjs";

/** The newest of each line when this was written. */
const VERSIONS = ["22.23.5", "24.22.3", "26.12.1"];
/** What a user of the built server meets first. */
const SMOKE = [
  "conformance/dist/digits.test.js",
  "conformance/dist/drain.test.js",
  "conformance/dist/cli.test.js",
  "conformance/dist/embedding.test.js",
  "conformance/dist/worker-death.test.js",
];
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

/** The binary of a version, fetched on first use. Throws when it cannot be had. */
async function nodeBinary(version) {
  const folder = join(cacheFolder(), `node-${version}`);
  mkdirSync(cacheFolder(), { recursive: true });
  if (!existsSync(folder)) {
    await locked(`${folder}.lock`, () => (existsSync(folder) ? undefined : install(version, folder)));
  }
  return join(folder, BINARY);
}

const wanted = process.argv.slice(2);
const chosen = VERSIONS.filter(
  (version) => wanted.length === 0 || wanted.some((beginning) => version.startsWith(beginning)),
);
const runner = fileURLToPath(new URL("test.mjs", import.meta.url));
for (const version of chosen) {
  const node = await nodeBinary(version);
  console.log(`\nNode ${version}`);
  const { status } = spawnSync(node, [runner, "--unit", ...SMOKE], { stdio: "inherit" });
  if (status !== 0) {
    console.error(`the tests fail on Node ${version}`);
    process.exitCode = 1;
  }
}
