import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"|import\(\s*"([^"]+)"\s*\)/g;

/** One import of a source file. Paths are relative to the repository's root; a package keeps its specifier. */
export interface Import {
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
}

/** The product's TypeScript files below a folder: no tests (`x.test.ts`), nothing that only tests use (`x.kit.ts`), no `.d.ts`. */
export function productSources(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !/\.(?:test|kit|d)\.ts$/.test(name))
    .map((name) => normalize(join(folder, name)))
    .sort();
}

/** What a file imports or exports from elsewhere, `import()` included. */
export function importsOf(root: string, file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  return [...text.matchAll(IMPORT)].map((match) => {
    const specifier = match[2] ?? match[3] ?? "";
    const to = specifier.startsWith(".") ? normalize(join(dirname(file), specifier)) : specifier;
    return { from: file, to, isType: match[1] !== undefined };
  });
}

/** Which node leads to which; nodes that are not key lead nowhere. */
export type Graph = ReadonlyMap<string, readonly string[]>;

/** Groups of nodes that all lead to each other (Tarjan), without those that stand alone. */
export function knots(graph: Graph): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (node: string): void => {
    const index = order.size;
    order.set(node, index);
    low.set(node, index);
    stack.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) low.set(node, Math.min(low.get(node)!, low.get(next)!));
    }
    if (low.get(node) !== index) return;
    const group = stack.splice(stack.indexOf(node));
    if (group.length > 1) found.push(group.sort());
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return found;
}
