import { spawn } from "node:child_process";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const RUN_SCRIPTS = fileURLToPath(new URL("../../scripts/python/run_scripts.py", import.meta.url));

/**
 * The interpreter of the private environment that `npm test` makes (PyTorch, transformers, numpy, scikit-learn, safetensors, onnx). Without one the
 * test is skipped with the reason, and the result is undefined: the test returns. With SCONCE_REQUIRE_TORCH=1 it fails instead.
 */
export function requirePython(t: TestContext): string | undefined {
  const python = pythonOrReason();
  if ("path" in python) return python.path;
  t.skip(python.skip);
  return undefined;
}

/** The same for a whole suite: the interpreter, or why the suite is skipped. */
export function pythonOrReason(): { readonly path: string } | { readonly skip: string } {
  const path = process.env["SCONCE_TEST_PYTHON"];
  if (path !== undefined && path !== "") return { path };
  const reason =
    process.env["SCONCE_TEST_PYTHON_SKIP"] || "run it through `npm test`, which prepares PyTorch";
  if (process.env["SCONCE_REQUIRE_TORCH"] === "1") throw new Error(`PyTorch is required: ${reason}`);
  return { skip: `needs PyTorch: ${reason}` };
}

/** Runs a Python program and resolves to what it printed; rejects with its error output when it fails. One thread, so tests share cores. */
export async function runPython(python: string, args: readonly string[], input = ""): Promise<string> {
  const child = spawn(python, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...process.env, OMP_NUM_THREADS: "1", PYTHONDONTWRITEBYTECODE: "1" },
  });
  const text = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text.out += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    text.err += chunk;
  });
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`Python ended with code ${code}: ${text.err.slice(-4000)}`);
  return text.out;
}

/** Runs several scripts in one process, one after the other, and resolves to what each printed: PyTorch takes seconds to be imported. */
export async function runPythonScripts(
  python: string,
  scripts: ReadonlyArray<readonly [file: string, ...args: string[]]>,
): Promise<readonly string[]> {
  return JSON.parse(await runPython(python, [RUN_SCRIPTS, JSON.stringify(scripts)])) as string[];
}
