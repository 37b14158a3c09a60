// Python packages as files, without what they depend on: the models that tests take from them. They lie in the user's cache folder, keyed by
// what the list says.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, locked, runQuietly } from "./made-once.mjs";
import { pythonEnv } from "./python-env.mjs";

async function install(python, list, folder) {
  const temporary = mkdtempSync(`${folder}.tmp-`);
  try {
    const pip = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"];
    const what = ["--no-deps", "--no-compile", "--target", temporary, "--requirement", list];
    const failure = await runQuietly(python, [...pip, "--retries", "2", ...what]);
    if (failure !== undefined) return `no packages: ${failure}`;
    renameSync(temporary, folder);
    return undefined;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/**
 * The folder with the packages that a requirements file lists, made on first use; or why there is none.
 * @param {string} list
 * @returns {Promise<{ folder: string } | { skip: string }>}
 */
export async function pythonPackages(list) {
  const env = await pythonEnv();
  if (env.skip !== undefined) return env;
  const key = createHash("sha256").update(readFileSync(list)).digest("hex").slice(0, 12);
  const folder = join(cacheFolder(), `packages-${key}`);
  if (existsSync(folder)) return { folder };
  mkdirSync(cacheFolder(), { recursive: true });
  const failure = await locked(`${folder}.lock`, () =>
    existsSync(folder) ? undefined : install(env.python, list, folder),
  );
  return failure === undefined ? { folder } : { skip: failure };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const packages = await pythonPackages(process.argv[2]);
  console.log(packages.folder ?? packages.skip);
  process.exitCode = packages.folder ? 0 : 1;
}
