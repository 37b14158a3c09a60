import { statSync } from "node:fs";
import { basename, delimiter, isAbsolute, join } from "node:path";
import { ServeError } from "../../base/errors.ts";
import type { PythonOptions } from "../runtime.ts";

/** Where a virtual environment has its interpreter. */
const VENV = [join("bin", "python"), join("Scripts", "python.exe")] as const;
const DEFAULT_NAMES = ["python3", "python"] as const;

export interface FoundPython {
  /** Absolute path, links not resolved: a virtual environment's interpreter is a link, and knows itself by its name. */
  readonly program: string;
  /** The model brought it: no other model is likely to use it. */
  readonly isOwn: boolean;
}

/**
 * The interpreter that runs a model: the one that was configured, else that of a `.venv` beside the model, else `python3` of the search
 * path. Throws ServeError `failed_precondition`/`python_missing`.
 */
export function findPython(
  { interpreter, folders }: Pick<PythonOptions, "interpreter" | "folders">,
  searchPath: string,
): FoundPython {
  if (interpreter !== undefined) {
    const program = isAbsolute(interpreter) ? programAt(interpreter) : inSearchPath(interpreter, searchPath);
    if (program !== undefined) return { program, isOwn: false };
    throw missing(`the interpreter ${basename(interpreter)} does not exist`, interpreter);
  }
  for (const folder of folders) {
    const program = programAt(join(folder, ".venv"));
    if (program !== undefined) return { program, isOwn: true };
  }
  for (const name of DEFAULT_NAMES) {
    const program = inSearchPath(name, searchPath);
    if (program !== undefined) return { program, isOwn: false };
  }
  throw missing("there is no python3 in the search path, and no .venv beside the model");
}

/** The path itself where it is a program, or the interpreter of the virtual environment that it is. */
function programAt(path: string): string | undefined {
  return [path, ...VENV.map((place) => join(path, place))].find(isFile);
}

function inSearchPath(name: string, searchPath: string): string | undefined {
  const folders = searchPath.split(delimiter).filter(isAbsolute);
  return folders.map((folder) => join(folder, name)).find(isFile);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** `path`: for the log alone. */
function missing(why: string, path?: string): ServeError {
  return new ServeError(
    "failed_precondition",
    `${why}: install Python with PyTorch, or name an interpreter that has it with --python`,
    { reason: "python_missing", ...(path !== undefined && { cause: path }) },
  );
}
