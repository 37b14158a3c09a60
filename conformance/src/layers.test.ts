// Tests the imports of all packages against the layer table.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/**
 * Who may import whom inside packages/server/src: the layer table of docs/dev/architecture.md. A folder may always import from itself;
 * siblings (edge/rest and edge/grpc, the runtimes) never import each other. `types` may be imported with `import type` only.
 */
const LAYERS: Record<string, { readonly may: readonly string[]; readonly types?: readonly string[] }> = {
  base: { may: [] },
  config: { may: ["base"] },
  worker: { may: ["base"] },
  "runtime/onnx": { may: ["worker", "runtime", "base"] },
  "runtime/python": { may: ["worker", "runtime", "base"] },
  "runtime/js": { may: ["worker", "runtime", "base"] },
  runtime: { may: ["worker", "base"] },
  queue: { may: ["base"] },
  models: { may: ["base"], types: ["runtime", "queue", "config"] },
  infer: { may: ["models", "base"] },
  gate: { may: ["base"] },
  health: { may: ["base"] },
  "edge/rest": { may: ["edge", "gate", "infer", "base"], types: ["models"] },
  "edge/grpc": { may: ["edge", "gate", "infer", "base"], types: ["models"] },
  "edge/console": { may: ["edge", "gate", "infer", "base"], types: ["models"] },
  edge: { may: ["gate", "infer", "base"], types: ["models"] },
  app: { may: ["*"] },
  cli: { may: ["*", "app"] },
};

/** Who may import which workspace package. */
const PACKAGES: Record<string, readonly string[]> = {
  "@sconce/protocol": ["base", "edge/rest", "edge/grpc", "edge/console", "edge", "infer", "cli", "app"],
  "@sconce/torch": ["runtime/onnx", "cli", "app"],
};

const root = fileURLToPath(new URL("../..", import.meta.url));
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"|import\(\s*"([^"]+)"\s*\)/g;

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !/\.(?:test|kit|d)\.ts$/.test(name))
    .map((name) => normalize(join(folder, name)));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  return [...text.matchAll(IMPORT)].map((match) => {
    const specifier = match[2] ?? match[3] ?? "";
    const to = specifier.startsWith(".") ? normalize(join(dirname(file), specifier)) : specifier;
    return { from: file, to, isType: match[1] !== undefined };
  });
}

function layerOf(file: string): string {
  const folder = dirname(relative("packages/server/src", file));
  // index.ts, the public door.
  if (folder === ".") return "app";
  return Object.keys(LAYERS)
    .filter((layer) => folder === layer || folder.startsWith(`${layer}/`))
    .reduce((longest, layer) => (layer.length > longest.length ? layer : longest), "");
}

function violation({ from, to, isType }: Import): string | undefined {
  const layer = layerOf(from);
  const rule = LAYERS[layer];
  if (rule === undefined) return `${from}: lies in no layer of the table`;
  const external = Object.keys(PACKAGES).find((name) => to === name || to.startsWith(`${name}/`));
  if (external !== undefined) {
    return PACKAGES[external]!.includes(layer) ? undefined : `${from}: ${layer} may not import ${external}`;
  }
  if (!to.startsWith("packages/server/src/")) return undefined;
  const target = layerOf(to);
  if (target === layer || rule.may.includes(target) || (rule.may.includes("*") && target !== "app"))
    return undefined;
  if (isType && rule.types?.includes(target)) return undefined;
  return `${from}: ${layer} may not import ${target} (${to})`;
}

function findCycle(files: readonly string[]): string[] | undefined {
  const edges = new Map(
    files.map((file) => [
      file,
      importsOf(file)
        .filter((i) => !i.isType)
        .map((i) => i.to),
    ]),
  );
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file) || !edges.has(file)) return undefined;
    path.push(file);
    for (const next of edges.get(file)!) {
      const cycle = visit(next);
      if (cycle) return cycle;
    }
    path.pop();
    done.add(file);
    return undefined;
  };
  for (const file of files) {
    const cycle = visit(file);
    if (cycle) return cycle;
  }
  return undefined;
}

test("the server's folders import downwards only", () => {
  const found = sources("packages/server/src")
    .flatMap(importsOf)
    .map(violation)
    .filter((v) => v !== undefined);
  assert.deepEqual(found, []);
});

test("torch and protocol do not know each other, nor the server", () => {
  for (const name of ["torch", "protocol"]) {
    const foreign = sources(`packages/${name}/src`)
      .flatMap(importsOf)
      .filter((i) => i.to === "sconce" || i.to.startsWith("@sconce/"));
    assert.deepEqual(foreign, []);
  }
});

test("torch uses Node only in its `node` entry", () => {
  const node = sources("packages/torch/src")
    .filter((file) => !file.endsWith("src/node.ts"))
    .flatMap(importsOf)
    .filter((i) => i.to.startsWith("node:"));
  assert.deepEqual(node, []);
});

for (const name of ["protocol", "torch", "server"]) {
  test(`no import cycles in ${name}`, () => {
    assert.equal(findCycle(sources(`packages/${name}/src`))?.join(" → "), undefined);
  });
}
