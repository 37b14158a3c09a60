import assert from "node:assert/strict";
import { join } from "node:path";
import ts from "typescript";

/** What a snippet leaves to its reader: a name that nothing declares, alone or as a property. */
const LEFT_OPEN = new Set([2304, 2552, 18004]);
const OPTIONS: ts.CompilerOptions = {
  strict: true,
  noImplicitAny: false,
  noEmit: true,
  skipLibCheck: true,
  allowJs: true,
  checkJs: true,
  types: ["node"],
  lib: ["lib.es2023.d.ts", "lib.dom.d.ts"],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
};

/** Parsed once for all snippets. */
const sources = new Map<string, ts.SourceFile | undefined>();

/** Compiles a snippet against the packages' types, in a folder from which their names lead to them. Throws with what the compiler says. */
export function checkTypes(text: string, folder: string): void {
  const file = join(folder, "checked.mts");
  const host = ts.createCompilerHost(OPTIONS);
  const { getSourceFile, fileExists, readFile } = host;
  const program = ts.createProgram([file], OPTIONS, {
    ...host,
    fileExists: (name) => name === file || fileExists(name),
    readFile: (name) => (name === file ? text : readFile(name)),
    getSourceFile(name, options) {
      if (name === file) return ts.createSourceFile(name, text, options);
      if (!sources.has(name)) sources.set(name, getSourceFile(name, options));
      return sources.get(name);
    },
  });
  const snippet = program.getSourceFile(file)!;
  const faults = [...program.getSyntacticDiagnostics(snippet), ...program.getSemanticDiagnostics(snippet)];
  const said = faults
    .filter(({ code }) => !LEFT_OPEN.has(code))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
  assert.deepEqual(said, []);
}
