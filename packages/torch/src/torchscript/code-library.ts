import type { ZipArchive } from "../archive/zip.ts";
import { ModelFileError } from "../errors.ts";
import type { ClassDef, FunctionDef, SourceFile } from "./source-ast.ts";
import { parseSource } from "./source-parser.ts";

/** Bytes of one source file. */
const MAX_SOURCE_BYTES = 16 * 2 ** 20;

/** The classes and functions of an archive's `code/`, by qualified name; files are parsed when first needed. */
export class CodeLibrary {
  readonly #zip: ZipArchive;
  readonly #folder: string;
  readonly #files = new Map<string, SourceFile | undefined>();

  /** `folder` is the archive's root, such as `model/`. */
  constructor(zip: ZipArchive, folder: string) {
    this.#zip = zip;
    this.#folder = folder;
  }

  classDef(path: string): ClassDef | undefined {
    const { file, name } = this.#locate(path);
    return file?.classes.get(name);
  }

  function(path: string): FunctionDef | undefined {
    const { file, name } = this.#locate(path);
    return file?.functions.get(name);
  }

  /** `__torch__.a.b.C` lies in `code/__torch__/a/b.py`. */
  #locate(path: string): { file: SourceFile | undefined; name: string } {
    const dot = path.lastIndexOf(".");
    const module = path.slice(0, Math.max(dot, 0)).replaceAll(".", "/");
    const entry = `${this.#folder}code/${module}.py`;
    if (!this.#files.has(entry)) this.#files.set(entry, this.#read(entry));
    return { file: this.#files.get(entry), name: path.slice(dot + 1) };
  }

  #read(entry: string): SourceFile | undefined {
    const size = this.#zip.entries.get(entry)?.byteLength;
    if (size === undefined) return undefined;
    if (size > MAX_SOURCE_BYTES) throw new ModelFileError("limit", `a TorchScript source has ${size} bytes`);
    const text = new TextDecoder().decode(this.#zip.read(entry));
    return parseSource(text, entry.slice(this.#folder.length));
  }
}
