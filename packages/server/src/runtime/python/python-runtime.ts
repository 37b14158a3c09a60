import { fileURLToPath } from "node:url";
import type { LoadedModel, LoadSpec, Runtime } from "../runtime.ts";
import { createWorkerRuntime, type WorkerRuntimeOptions } from "../worker-runtime.ts";
import { findPython } from "./find-python.ts";

export interface PythonRuntimeOptions
  extends Omit<WorkerRuntimeOptions, "name" | "entry" | "startTimeoutMs"> {
  /** Folders in which programs are found by their names, as in PATH. */
  readonly searchPath: string;
}

const START = fileURLToPath(new URL("../../../python/start.py", import.meta.url));
/** Importing PyTorch from a cold disk takes its time. */
const START_TIMEOUT_MS = 180_000;
/** Lines come when they are written, in UTF-8, and no folder of a model is written into. */
const ENV = { PYTHONUNBUFFERED: "1", PYTHONUTF8: "1", PYTHONDONTWRITEBYTECODE: "1" };

const NO_OPTIONS = { interpreter: undefined, folders: [] };

/**
 * Runs models with PyTorch, in worker processes of Python. No process is started before a model needs one; from then on the interpreters
 * that models share have spares, which hold PyTorch in memory already.
 */
export function createPythonRuntime(options: PythonRuntimeOptions): Runtime {
  return new PythonRuntime(options);
}

/** A runtime of workers for each interpreter. */
class PythonRuntime implements Runtime {
  readonly name = "python";
  readonly #options: PythonRuntimeOptions;
  readonly #runtimes = new Map<string, Runtime>();

  constructor(options: PythonRuntimeOptions) {
    this.#options = options;
  }

  async load(spec: LoadSpec, options: Parameters<Runtime["load"]>[1]): Promise<LoadedModel> {
    const { program, isOwn } = findPython(spec.options.python ?? NO_OPTIONS, this.#options.searchPath);
    return this.#runtimeOf(program, isOwn ? 0 : this.#options.spares).load(spec, options);
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#runtimes.values(), (runtime) => runtime.close()));
  }

  destroy(reason: string): void {
    for (const runtime of this.#runtimes.values()) runtime.destroy(reason);
  }

  #runtimeOf(program: string, spares: number): Runtime {
    const known = this.#runtimes.get(program);
    if (known !== undefined) return known;
    const runtime = createWorkerRuntime({
      ...this.#options,
      name: "python",
      entry: [program, START],
      startTimeoutMs: START_TIMEOUT_MS,
      spares,
      env: { ...this.#options.env, ...ENV },
    });
    this.#runtimes.set(program, runtime);
    return runtime;
  }
}
