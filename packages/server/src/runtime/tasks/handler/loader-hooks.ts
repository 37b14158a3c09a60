import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

// What Node calls when the code of a handler imports something; it runs in a thread of its own.

/** The name under which handlers import what this package has for them. */
const NAME = "sconce/handler";
const TYPESCRIPT: string = "typescript";

interface Resolved {
  readonly url: string;
  readonly format?: string | null;
  readonly shortCircuit?: boolean;
}

type NextResolve = (specifier: string, context: object) => Promise<Resolved>;

export function resolve(specifier: string, context: object, next: NextResolve): Promise<Resolved> | Resolved {
  if (specifier !== NAME) return next(specifier, context);
  return { url: new URL("./index.js", import.meta.url).href, shortCircuit: true };
}

interface Loaded {
  readonly format: string;
  readonly source: string;
  readonly shortCircuit: boolean;
}

/** What is used of the compiler, where Node does not strip types itself. */
interface Compiler {
  transpileModule(source: string, options: object): { readonly outputText: string };
}

export async function load(
  url: string,
  context: object,
  next: (url: string, context: object) => Promise<Loaded>,
): Promise<Loaded> {
  if (!url.endsWith(".ts") || "typescript" in process.features) return next(url, context);
  const source = await readFile(fileURLToPath(url), "utf8");
  const loaded = (await import(TYPESCRIPT)) as { readonly default: Compiler };
  const { outputText } = loaded.default.transpileModule(source, {
    compilerOptions: { module: 99, target: 10, verbatimModuleSyntax: true, inlineSourceMap: true },
  });
  return { format: "module", source: outputText, shortCircuit: true };
}
