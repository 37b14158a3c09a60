import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { dirname, isAbsolute, join, resolve, sep } from "node:path";
import { SANDBOX_SCRIPT } from "./sandbox-script.ts";

/** A command of its own for each worker that keeps it from the rest of the machine. */
export interface Sandbox {
  /** The same command, in the sandbox. */
  wrap(command: readonly [string, ...string[]]): readonly [string, ...string[]];
}

export interface SandboxOptions {
  /** Folders and files that workers may read, beside what their programs are made of. What is missing is left out. */
  readonly reads: readonly string[];
  /** An empty folder of the server's own, over which each worker's root is mounted where nobody else sees it. */
  readonly root: string;
  /** Refuses workers the system calls that none needs. Default: they may make any. */
  readonly filter?: LoadedFilter | undefined;
}

/** A filter of system calls, and what loads it between the sandbox and the worker. */
export interface LoadedFilter {
  readonly loader: "setpriv" | "perl";
  /** As `callFilter` makes it. */
  readonly program: Uint8Array;
  /** The number of the call that loads it. */
  readonly seccomp: number;
}

/** Programs, libraries and what they look up to start; a link among them is made again as a link. */
const SYSTEM = [
  "/usr",
  "/bin",
  "/sbin",
  "/lib",
  "/lib32",
  "/lib64",
  "/etc/ld.so.cache",
  "/etc/localtime",
  "/etc/alternatives",
];
const DEVICES = ["/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"];
/** Names for them only; nothing is unshared yet that could be. */
const UNSHARE = [
  "unshare",
  "--user",
  "--map-root-user",
  "--mount",
  "--net",
  "--ipc",
  "--uts",
  "--pid",
  "--fork",
  "--kill-child",
] as const;
const ABSENT = "ENOENT";
const PROBE_LIMIT_MS = 20_000;

/** Namespaces of Linux, entered by programs of util-linux: no network, no other processes, and no files but some. */
export function createSandbox({ reads, root, filter }: SandboxOptions): Sandbox {
  const common = [...SYSTEM, ...programFolders(process.execPath), ...reads];
  return {
    wrap(command) {
      const own = isAbsolute(command[0]) ? programFolders(command[0]) : [];
      const places = [...bindings([...common, ...own]), ...DEVICES.flatMap((path) => ["dev", path])];
      return [
        UNSHARE[0],
        ...UNSHARE.slice(1),
        "sh",
        "-c",
        SANDBOX_SCRIPT,
        "sandbox",
        root,
        ...filterArguments(filter),
        ...places,
        "--",
        ...command,
      ];
    },
  };
}

function filterArguments(filter: LoadedFilter | undefined): readonly string[] {
  if (filter === undefined) return ["", "", ""];
  const octal = Array.from(filter.program, (byte) => `\\${byte.toString(8).padStart(3, "0")}`);
  return [filter.loader, octal.join(""), String(filter.seccomp)];
}

/** Why this machine has no such sandbox, in words; undefined: it has. Starts one, which takes some milliseconds. */
export function missingForSandbox(sandbox: Sandbox): string | undefined {
  if (process.platform !== "linux") return "it needs Linux";
  const said = failureIn(sandbox, "exit 0");
  if (said === undefined) return undefined;
  if (said === ABSENT) return "the program unshare (util-linux) is not installed";
  return `the system refuses user namespaces or mounts in them${said === "" ? "" : ` (${said})`}`;
}

/** Runs a script of the shell as a worker would run. Undefined: it ended well; else the last line of what it said, or `ABSENT`. */
export function failureIn(sandbox: Sandbox, script: string): string | undefined {
  const [program, ...args] = sandbox.wrap(["/bin/sh", "-c", script]);
  try {
    execFileSync(program, args, {
      stdio: ["ignore", "ignore", "pipe"],
      timeout: PROBE_LIMIT_MS,
      env: PROBE_ENV,
    });
    return undefined;
  } catch (error) {
    const { code, stderr } = error as { readonly code?: string; readonly stderr?: Buffer };
    if (code === "ENOENT") return ABSENT;
    return (stderr?.toString().trim().split("\n").at(-1) ?? "").slice(0, 200);
  }
}

const PROBE_ENV = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };

/** Where a program and what belongs to it are: its prefix, that of the file it is a link to, and of what a virtual environment is made of. */
function programFolders(program: string): string[] {
  const folders: string[] = [];
  for (const path of [program, realPath(program)]) folders.push(dirname(dirname(path)));
  const home = /^home *= *(.+)$/m.exec(readText(join(dirname(dirname(program)), "pyvenv.cfg")))?.[1];
  if (home !== undefined) folders.push(dirname(home.trim()), dirname(realPath(home.trim())));
  return folders.filter((folder) => folder !== sep);
}

/** Arguments of the script: what to mount or link, none within another. */
function bindings(paths: readonly string[]): string[] {
  const wanted = new Set<string>();
  for (const path of paths) {
    const absolute = resolve(path);
    if (!existsSync(absolute) || absolute === sep) continue;
    wanted.add(absolute);
    wanted.add(realPath(absolute));
  }
  const sorted = [...wanted].sort((a, b) => a.length - b.length);
  const folders: string[] = [];
  const places: string[] = [];
  for (const path of sorted) {
    if (folders.some((folder) => path.startsWith(folder + sep))) continue;
    const stats = lstatSync(path);
    if (stats.isSymbolicLink()) places.push("link", path, readlinkSync(path));
    else if (stats.isDirectory()) {
      folders.push(path);
      places.push("dir", path);
    } else places.push("file", path);
  }
  return places;
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
