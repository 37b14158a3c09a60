import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runPython } from "../python.ts";
import type { PageParts } from "./page-blocks.ts";
import type { ReadyPython } from "./python-zygote.ts";
import { ROOT, type Walker } from "./walk-page.ts";

/** What clients import, and PyTorch's environment does not have. */
const CLIENTS = /^(?:import|from) (?:requests|tritonclient)\b/m;

interface Interpreters {
  readonly ready: ReadyPython | undefined;
  readonly clients: string | undefined;
}

/** The interpreter of the environment with the Python clients, where a page needs it; or why there is none. */
export async function clientsPython({
  blocks,
}: PageParts): Promise<{ readonly python: string } | { readonly skip: string } | undefined> {
  if (!blocks.some(({ text }) => CLIENTS.test(text))) return undefined;
  const made = (await import(join(ROOT, "scripts/python-env.mjs"))) as {
    pythonEnv(requirements: string): Promise<{ python: string } | { skip: string }>;
  };
  return made.pythonEnv(join(ROOT, "scripts/python/grpc-requirements.txt"));
}

/** Runs a script with the packages that it imports. */
export function pythonFor({ ready, clients }: Interpreters): Walker["python"] {
  return async (file, cwd) => {
    if (!CLIENTS.test(readFileSync(join(cwd, file), "utf8"))) return ready!.run(file, cwd);
    return runPython(clients!, [join(cwd, file)]);
  };
}
