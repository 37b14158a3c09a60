// Programs that tests run and npm does not have, and a library of one: found on PATH, or installed where that is ours to do, as root on Debian (a container).
import { accessSync, constants, existsSync, mkdirSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder, locked, runQuietly } from "./made-once.mjs";

/** Program → the package of Debian that has it. */
const PACKAGES = {
  chromium: "chromium",
  fish: "fish",
  haproxy: "haproxy",
  // Of perf_analyzer, which comes in a Python package.
  "libb64.so.0d": "libb64-0d",
  nginx: "nginx",
  "redis-server": "redis-server",
  testssl: "testssl.sh",
  zsh: "zsh",
};

/** A test names its programs in these words (conformance/src/program.ts); only those are looked for, and installed. */
const ASKED = /\bprogramOrReason\("([\w.-]+)"/g;

/** Which programs these sources of tests ask for. */
export function programsOf(sources) {
  return [...new Set(sources.flatMap((source) => [...source.matchAll(ASKED)].map(([, program]) => program)))];
}

/** The variables by which tests hear where a program is, or why there is none. */
export function variablesOf(program, { path = "", skip = "" }) {
  const variable = `SCONCE_TEST_${program.toUpperCase().replaceAll(/\W/g, "_")}`;
  return { [variable]: path, [`${variable}_SKIP`]: skip };
}

function onPath(program) {
  // Debian keeps daemons where only root's PATH looks.
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/bin"];
  if (/\.so\b/.test(program)) return LIBRARIES.map((folder) => join(folder, program)).find(existsSync);
  return folders.map((folder) => join(folder, program)).find(isExecutable);
}

/** Where Debian has libraries. */
const LIBRARIES = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"];

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

const APT = ["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=600"];

async function install(name) {
  console.error(`installing ${name} (once)`);
  return (
    (await runQuietly("env", [...APT, "update"])) ??
    (await runQuietly("env", [...APT, "install", "--no-install-recommends", name]))
  );
}

/**
 * Where a program is, installed on first use where that is possible; or why there is none.
 * @param {string} program
 * @returns {Promise<{ path: string } | { skip: string }>}
 */
export async function systemProgram(program) {
  const name = PACKAGES[program];
  if (name === undefined) return { skip: `${program} is not in the table of scripts/system-packages.mjs` };
  const found = onPath(program);
  if (found !== undefined) return { path: found };
  if (process.getuid?.() !== 0 || onPath("apt-get") === undefined)
    return { skip: `no ${program} on this machine; Debian's package ${name} has it` };
  mkdirSync(cacheFolder(), { recursive: true });
  const failure = await locked(join(cacheFolder(), "system-packages.lock"), () =>
    onPath(program) === undefined ? install(name) : undefined,
  );
  const path = onPath(program);
  return path === undefined
    ? { skip: `${name} could not be installed: ${failure ?? `it has no ${program}`}` }
    : { path };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const program = await systemProgram(process.argv[2]);
  console.log(program.path ?? program.skip);
  process.exitCode = program.path ? 0 : 1;
}
