import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { type Graph, importsOf, knots, productSources } from "./imports.ts";

const PACKAGES = ["protocol", "client", "torch", "server"] as const;

/** What can be counted about the shape of the code. Generated files count as files of their room and nothing else. */
export interface Structure {
  /** Product files and exported types of every folder. */
  readonly rooms: readonly { readonly folder: string; readonly files: number; readonly types: number }[];
  /** Groups of files whose imports, types included, lead back to themselves. */
  readonly typeCycles: readonly (readonly string[])[];
  /** Pairs of folders, neither inside the other, that import each other. */
  readonly mutualFolders: readonly string[];
  /** Exported types whose name is declared more than once in a package, with the files. */
  readonly doubleNames: readonly string[];
  /** Product files that no entry of a package leads to. */
  readonly testOnlyFiles: readonly string[];
}

/** Measures the packages of the repository at `root`. */
export function measureStructure(root: string): Structure {
  const folders = PACKAGES.map((name) => `packages/${name}/src`);
  const perFolder = folders.map((folder) => ({ folder, files: productSources(root, folder) }));
  const files = perFolder.flatMap((one) => one.files);
  return {
    rooms: rooms(root, files),
    typeCycles: perFolder.flatMap((one) => knots(importGraph(root, one.files))),
    mutualFolders: perFolder.flatMap((one) => mutualFolders(root, one.files)),
    doubleNames: perFolder.flatMap((one) => doubleNames(root, one.files)),
    testOnlyFiles: perFolder.flatMap((one) => unreachable(root, one.folder, one.files)),
  };
}

const isGenerated = (file: string): boolean => /\/gen\//.test(file);

function importGraph(root: string, files: readonly string[]): Graph {
  return new Map(files.map((file) => [file, importsOf(root, file).map(({ to }) => to)]));
}

/** Names of the types, interfaces and classes that a file exports by declaring them. */
function exportedTypes(root: string, file: string): string[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/^export (?:abstract )?(?:interface|type|class) (\w+)/gm)].map(
    ([, name = ""]) => name,
  );
}

function rooms(root: string, files: readonly string[]): Structure["rooms"] {
  const byFolder = new Map<string, string[]>();
  for (const file of files) {
    const folder = dirname(file);
    byFolder.set(folder, [...(byFolder.get(folder) ?? []), file]);
  }
  return [...byFolder].sort().map(([folder, inside]) => ({
    folder,
    files: inside.length,
    types: inside.flatMap((file) => (isGenerated(file) ? [] : exportedTypes(root, file))).length,
  }));
}

/** The two folders in which the ways to two files part; undefined: one file lies in a folder around the other. */
function partingFolders(from: string, to: string): readonly [string, string] | undefined {
  const [a, b] = [dirname(from).split("/"), dirname(to).split("/")];
  const common = a.findIndex((name, index) => name !== b[index]);
  if (common === -1 || common >= b.length) return undefined;
  return [a.slice(0, common + 1).join("/"), b.slice(0, common + 1).join("/")];
}

function mutualFolders(root: string, files: readonly string[]): string[] {
  const seen = new Map<string, Set<string>>();
  const own = new Set(files);
  for (const { from, to } of files.flatMap((file) => importsOf(root, file))) {
    const parting = own.has(to) ? partingFolders(from, to) : undefined;
    if (parting === undefined) continue;
    const targets = seen.get(parting[0]) ?? new Set();
    seen.set(parting[0], targets.add(parting[1]));
  }
  return [...seen].flatMap(([folder, targets]) =>
    [...targets]
      .filter((other) => folder < other && seen.get(other)?.has(folder))
      .map((other) => `${folder} ↔ ${other}`),
  );
}

function doubleNames(root: string, files: readonly string[]): string[] {
  const places = new Map<string, string[]>();
  for (const file of files.filter((name) => !isGenerated(name))) {
    for (const name of exportedTypes(root, file)) places.set(name, [...(places.get(name) ?? []), file]);
  }
  return [...places]
    .filter(([, where]) => new Set(where).size > 1)
    .map(([name, where]) => `${name}: ${where.join(", ")}`);
}

/** Where a package begins: what its package.json exports, its commands, and what its files start as threads and processes. */
function entries(root: string, folder: string): string[] {
  const home = dirname(folder);
  const { exports = {}, bin = {} } = JSON.parse(readFileSync(join(root, home, "package.json"), "utf8")) as {
    readonly exports?: Record<string, unknown>;
    readonly bin?: Record<string, string>;
  };
  const published = JSON.stringify(exports).matchAll(/"\.\/dist\/([\w./-]+)\.(?:js|d\.ts)"/g);
  const commands = Object.values(bin).flatMap((file) =>
    [...readFileSync(join(root, home, file), "utf8").matchAll(/dist\/([\w./-]+)\.js/g)].map(
      ([, name]) => name,
    ),
  );
  const started = productSources(root, folder).flatMap((file) =>
    [...readFileSync(join(root, file), "utf8").matchAll(/new URL\(\s*"(\.[\w./-]+)\.js"/g)].map(
      ([, name = ""]) => normalize(join(dirname(file), `${name}.ts`)),
    ),
  );
  return [
    ...[...published].map(([, name]) => `${folder}/${name}.ts`),
    ...commands.map((name) => `${folder}/${name}.ts`),
    ...started,
  ].filter((file) => existsSync(join(root, file)));
}

function unreachable(root: string, folder: string, files: readonly string[]): string[] {
  const reached = new Set<string>();
  const graph = importGraph(root, files);
  const waiting = entries(root, folder);
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    waiting.push(...(graph.get(file) ?? []).filter((to) => graph.has(to)));
  }
  return files.filter((file) => !reached.has(file) && !isGenerated(file));
}
