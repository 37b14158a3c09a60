// Tests the imports of all packages against the layer table.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Import, importsOf, knots, productSources } from "./structure/imports.ts";
import { measureStructure } from "./structure/measure.ts";

type Layers = Readonly<
  Record<string, { readonly may: readonly string[]; readonly types?: readonly string[] }>
>;

/** What a dialect of REST stands on: the pieces of JSON, one call, and the ground floor. */
const REST_DIALECT = ["edge/rest/json", "edge/rest/call", "edge", "gate", "infer", "base"] as const;

/**
 * Who may import whom inside packages/server/src: the layer table of docs/dev/architecture.md. A folder may always import from itself;
 * siblings (edge/rest and edge/grpc, the runtimes) never import each other. `types` may be imported with `import type` only.
 */
const SERVER: Layers = {
  base: { may: [] },
  config: { may: ["base"] },
  why: { may: ["base"] },
  // Runs in browsers.
  console: { may: ["why", "base"] },
  worker: { may: ["base"] },
  "runtime/onnx": { may: ["worker", "runtime", "base"] },
  "runtime/python": { may: ["worker", "runtime", "base"] },
  "runtime/tasks": { may: ["worker", "runtime", "base"] },
  "runtime/js": { may: ["worker", "runtime", "base"] },
  runtime: { may: ["worker", "base"] },
  queue: { may: ["base"] },
  models: { may: ["base"], types: ["runtime", "queue", "config"] },
  infer: { may: ["models", "base"] },
  link: { may: ["infer", "worker", "base"] },
  gate: { may: ["base"] },
  health: { may: ["gate", "base"] },
  stores: { may: ["base"] },
  tracing: { may: ["base"] },
  "edge/rest/json": { may: ["edge", "base"] },
  "edge/rest/call": { may: ["edge/rest/json", "edge", "gate", "infer", "base"], types: ["models"] },
  "edge/rest/http": { may: ["edge/rest/call", "edge", "gate", "base"] },
  "edge/rest/v2": { may: [...REST_DIALECT], types: ["models"] },
  "edge/rest/openapi": { may: [...REST_DIALECT], types: ["models"] },
  "edge/rest/predict": { may: [...REST_DIALECT], types: ["models"] },
  "edge/rest/v1": { may: ["edge/rest/predict", ...REST_DIALECT], types: ["models"] },
  "edge/rest/rpc": { may: ["edge/rest/call", "edge", "gate", "infer", "base"] },
  "edge/rest/stream": { may: ["edge/rest/v2", ...REST_DIALECT], types: ["models"] },
  "edge/torchserve": { may: ["edge", "gate", "infer", "base"], types: ["models"] },
  "edge/rest/torchserve": {
    may: ["edge/torchserve", "edge/rest/predict", ...REST_DIALECT],
    types: ["models"],
  },
  "edge/rest": {
    may: [
      "edge/torchserve",
      "edge/rest/stream",
      "edge/rest/http",
      "edge/rest/openapi",
      "edge/rest/v2",
      "edge/rest/predict",
      "edge/rest/v1",
      "edge/rest/rpc",
      "edge/rest/torchserve",
      ...REST_DIALECT,
    ],
    types: ["models"],
  },
  "edge/grpc": { may: ["edge/torchserve", "edge", "gate", "infer", "base"], types: ["models"] },
  "edge/console": { may: ["edge", "gate", "infer", "base"], types: ["models"] },
  edge: { may: ["gate", "infer", "base"], types: ["models"] },
  app: { may: ["*"] },
  cli: { may: ["*", "app"] },
};

/** The same for packages/torch/src. A file is read on the left and written on the right: archive → checkpoint → graph → lower → onnx. */
const TORCH: Layers = {
  base: { may: [] },
  aten: { may: ["base"] },
  archive: { may: ["base"] },
  checkpoint: { may: ["archive", "base"] },
  graph: { may: ["archive", "aten", "base"] },
  exported: { may: ["checkpoint", "graph", "archive", "aten", "base"] },
  // Result types are promoted by the one piece of code that knows PyTorch's rules.
  torchscript: { may: ["lower/core", "checkpoint", "graph", "archive", "aten", "base"] },
  weights: { may: ["formats", "checkpoint", "graph", "archive", "base"] },
  onnx: { may: ["archive", "base"] },
  formats: { may: ["onnx", "archive", "base"] },
  "lower/core": { may: ["onnx", "graph", "archive", "base"] },
  lower: { may: ["lower/core", "onnx", "graph", "archive", "aten", "base"] },
  quantize: { may: ["onnx", "base"] },
  translate: {
    may: [
      "checkpoint",
      "exported",
      "formats",
      "torchscript",
      "weights",
      "lower",
      "onnx",
      "quantize",
      "graph",
      "archive",
      "base",
    ],
  },
  node: { may: ["base"] },
  entry: { may: ["*"] },
};

/** The files that lie in no folder of packages/torch/src. */
const TORCH_LOOSE: Readonly<Record<string, string>> = {
  "byte-source.ts": "base",
  "dtype.ts": "base",
  "errors.ts": "base",
  "node.ts": "node",
  "index.ts": "entry",
  "formats.ts": "entry",
  "file-errors.ts": "entry",
};

/** Which folders, with those in them, may import which workspace package. */
const PACKAGES: Record<string, readonly string[]> = {
  "@sconce/protocol": ["base", "edge", "infer", "cli", "app"],
  // What a file is, and nothing that opens it.
  "@sconce/torch/formats": ["models", "runtime/onnx", "cli", "app"],
  "@sconce/torch": ["runtime/onnx", "cli", "app"],
};

const root = fileURLToPath(new URL("../..", import.meta.url));
const sources = (folder: string): string[] => productSources(root, folder);
const importsFrom = (file: string): Import[] => importsOf(root, file);

/** The package, and the layer in it, that a file belongs to; undefined: it lies in no layer of the tables. */
function layerOf(file: string): { readonly layers: Layers; readonly layer: string } | undefined {
  const inTorch = file.startsWith("packages/torch/src/");
  const layers = inTorch ? TORCH : SERVER;
  const path = relative(inTorch ? "packages/torch/src" : "packages/server/src", file);
  const folder = dirname(path);
  if (folder === ".") {
    const loose = inTorch ? TORCH_LOOSE[path] : "app";
    return loose === undefined ? undefined : { layers, layer: loose };
  }
  const fitting = Object.keys(layers).filter((layer) => folder === layer || folder.startsWith(`${layer}/`));
  if (fitting.length === 0) return undefined;
  return {
    layers,
    layer: fitting.reduce((longest, layer) => (layer.length > longest.length ? layer : longest)),
  };
}

function violation({ from, to, isType }: Import): string | undefined {
  const place = layerOf(from);
  if (place === undefined) return `${from}: lies in no layer of the table`;
  const { layer, layers } = place;
  const rule = layers[layer]!;
  const external = Object.keys(PACKAGES).find((name) => to === name || to.startsWith(`${name}/`));
  if (external !== undefined) {
    return PACKAGES[external]!.some((folder) => layer === folder || layer.startsWith(`${folder}/`))
      ? undefined
      : `${from}: ${layer} may not import ${external}`;
  }
  const target = to.startsWith("packages/") ? layerOf(to) : undefined;
  if (target === undefined || target.layers !== layers) return undefined;
  if (target.layer === layer || rule.may.includes(target.layer)) return undefined;
  if (rule.may.includes("*") && target.layer !== "app") return undefined;
  if (isType && rule.types?.includes(target.layer)) return undefined;
  return `${from}: ${layer} may not import ${target.layer} (${to})`;
}

for (const name of ["server", "torch"]) {
  test(`the folders of ${name} import downwards only`, () => {
    const found = sources(`packages/${name}/src`)
      .flatMap(importsFrom)
      .map(violation)
      .filter((v) => v !== undefined);
    assert.deepEqual(found, []);
  });
}

test("torch and protocol do not know each other, nor the server", () => {
  for (const name of ["torch", "protocol"]) {
    const foreign = sources(`packages/${name}/src`)
      .flatMap(importsFrom)
      .filter((i) => i.to === "sconce" || i.to.startsWith("@sconce/"));
    assert.deepEqual(foreign, []);
  }
});

test("the client uses no Node, and of the workspace the protocol alone", () => {
  const foreign = sources("packages/client/src")
    .flatMap(importsFrom)
    .filter((i) => !i.to.startsWith("packages/client/") && i.to !== "@sconce/protocol");
  assert.deepEqual(foreign, []);
  const node = sources("packages/client/src").filter((file) =>
    /\b(?:Buffer|process|global|setImmediate)\b/.test(
      readFileSync(join(root, file), "utf8").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, ""),
    ),
  );
  assert.deepEqual(node, []);
});

test("torch uses Node only in its `node` entry", () => {
  const node = sources("packages/torch/src")
    .filter((file) => !file.endsWith("src/node.ts"))
    .flatMap(importsFrom)
    .filter((i) => i.to.startsWith("node:"));
  assert.deepEqual(node, []);
});

test("the folders of torch's lowerings import downwards only, with core below all", () => {
  const base = "packages/torch/src/lower";
  const folders = new Map<string, Set<string>>();
  for (const { from, to } of sources(base).flatMap(importsFrom)) {
    if (!to.startsWith(`${base}/`)) continue;
    const [source, target] = [from, to].map((file) => dirname(relative(base, file)));
    if (source !== target) folders.set(source!, (folders.get(source!) ?? new Set()).add(target!));
  }
  assert.deepEqual([...(folders.get("core") ?? [])], [], "core imports from a folder above it");
  const imports = new Map([...folders].map(([folder, targets]) => [folder, [...targets]]));
  assert.deepEqual(knots(imports), []);
});

const structure = measureStructure(root);

test("no file imports itself over others, types included", () => {
  assert.deepEqual(structure.typeCycles, []);
});

test("no two folders import each other, types included", () => {
  assert.deepEqual(structure.mutualFolders, []);
});

test("no file of a package is there for tests alone", () => {
  assert.deepEqual(structure.testOnlyFiles, []);
});

test("no two exported types of a package have the same name", () => {
  assert.deepEqual(structure.doubleNames, []);
});
