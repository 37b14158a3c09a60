import { execFile } from "node:child_process";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const SCRIPTS: string = fileURLToPath(new URL("../../scripts/", import.meta.url));

/** Where the benchmarks keep their models, from run to run. */
export const BENCH_MODELS: string = join(
  process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"),
  "sconce",
  "bench-models",
);

/** A Python with PyTorch, torchvision and transformers, made at the first call. */
export async function pythonWithModels(): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(SCRIPTS, "python-env.mjs")]);
  return stdout.trim();
}
