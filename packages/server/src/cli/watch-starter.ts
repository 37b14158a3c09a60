import { readFileSync } from "node:fs";

/** How often the starter is looked for. */
const LOOK_MS = 1000;

type Env = Readonly<Record<string, string | undefined>>;

/** The package runner that started this process, if one did. */
export function starterOf(env: Env): "npm" | "npx" | undefined {
  if (env["npm_execpath"] === undefined && env["npm_lifecycle_event"] === undefined) return undefined;
  return env["npm_lifecycle_event"] === "npx" ? "npx" : "npm";
}

/**
 * npm and npx do not pass every end of theirs on: the server they started would go on, with its port. Where one of them (`npm_execpath` is set)
 * started this process, calls back once it, or the shell between, is gone. Elsewhere does nothing: `nohup sconce serve … &` outlives its shell.
 */
export function watchStarter(env: Env, onGone: (starter: string) => void): void {
  const starter = starterOf(env);
  if (starter === undefined) return;
  const chain = starters();
  const timer = setInterval(() => {
    if (process.ppid === chain[0] && chain.every((pid, i) => i === 0 || parentOf(chain[i - 1]!) === pid))
      return;
    clearInterval(timer);
    onGone(starter);
  }, LOOK_MS);
  timer.unref();
}

/** The processes from this one's parent up to npm; only the parent where no npm is found. */
function starters(): readonly number[] {
  const chain = [process.ppid];
  for (;;) {
    const last = chain.at(-1)!;
    if (isNpm(last)) return chain;
    const parent = parentOf(last);
    if (parent === undefined || parent <= 1 || chain.length >= 4) return [process.ppid];
    chain.push(parent);
  }
}

function isNpm(pid: number): boolean {
  return /(^|[\s/\0])(npm|npx|yarn|pnpm)\b/.test(read(`/proc/${pid}/cmdline`) ?? "");
}

/** Undefined where the system does not say, or the process is gone. */
function parentOf(pid: number): number | undefined {
  const [, parent] = /^PPid:\s*(\d+)/m.exec(read(`/proc/${pid}/status`) ?? "") ?? [];
  return parent === undefined ? undefined : Number(parent);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
