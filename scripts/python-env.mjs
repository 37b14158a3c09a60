// A private Python environment with PyTorch for tests and fixture scripts. It lies in the user's cache folder, keyed by what it holds,
// so that every clone of the project shares it; nothing on the machine is changed.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, locked, runQuietly } from "./made-once.mjs";

const REQUIREMENTS = fileURLToPath(new URL("python/requirements.txt", import.meta.url));
const MINIMUM = [3, 11];

/** A line of a requirements file that lists all that is needed, of packages that would bring more. */
const NO_DEPENDENCIES = /^# pip: --no-deps$/m;

function findPython() {
  const probe = "import sys; print(sys.version_info[0], sys.version_info[1], sys.implementation.cache_tag)";
  for (const command of process.platform === "win32" ? ["py", "python"] : ["python3", "python"]) {
    const { status, stdout } = spawnSync(command, ["-c", probe], { encoding: "utf8" });
    if (status !== 0) continue;
    const [major, minor, tag] = stdout.trim().split(" ");
    if (Number(major) === MINIMUM[0] && Number(minor) >= MINIMUM[1]) return { command, tag };
  }
  return undefined;
}

function pythonIn(folder) {
  return process.platform === "win32" ? join(folder, "Scripts", "python.exe") : join(folder, "bin", "python");
}

async function build(command, requirements, folder) {
  const temporary = mkdtempSync(`${folder}.tmp-`);
  try {
    console.error(
      `making a private Python environment with PyTorch in ${folder} (once; this takes some minutes)`,
    );
    const pip = [
      "-m",
      "pip",
      "install",
      "--disable-pip-version-check",
      "--no-input",
      "--quiet",
      "--retries",
      "2",
    ];
    if (NO_DEPENDENCIES.test(readFileSync(requirements, "utf8"))) pip.push("--no-deps");
    const failure =
      (await runQuietly(command, ["-m", "venv", temporary])) ??
      (await runQuietly(pythonIn(temporary), [...pip, "--requirement", requirements]));
    if (failure !== undefined) return `no private Python environment: ${failure}`;
    rmSync(folder, { recursive: true, force: true }); // one whose system Python is gone
    renameSync(temporary, folder);
    return undefined;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/**
 * The interpreter of the private environment with what a requirements file lists, made on first use; or why there is none: no Python,
 * or no package index.
 * @param {string} [requirements]
 * @returns {Promise<{ python: string } | { skip: string }>}
 */
export async function pythonEnv(requirements = REQUIREMENTS) {
  const found = findPython();
  if (found === undefined) return { skip: `no Python ${MINIMUM.join(".")} or later on this machine` };
  const key = createHash("sha256")
    .update(readFileSync(requirements))
    .update(`${found.tag} ${process.platform} ${process.arch}`);
  const folder = join(cacheFolder(), `python-${key.digest("hex").slice(0, 12)}`);
  const python = pythonIn(folder);
  if (existsSync(python)) return { python };
  mkdirSync(cacheFolder(), { recursive: true });
  const failure = await locked(`${folder}.lock`, () =>
    existsSync(python) ? undefined : build(found.command, requirements, folder),
  );
  return failure === undefined ? { python } : { skip: failure };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const env = await pythonEnv(process.argv[2]);
  console.log(env.python ?? env.skip);
  process.exitCode = env.python ? 0 : 1;
}
