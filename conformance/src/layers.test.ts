// Tests the imports of all packages against the layer table.
import assert from "node:assert/strict";
import { dirname, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { findCycle, type Import, importsOf, productSources } from "./structure/imports.ts";

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
const sources = (folder: string): string[] => productSources(root, folder);
const importsFrom = (file: string): Import[] => importsOf(root, file);

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

/** Value imports only: a type may look up where its value may not. */
function valueCycle(files: readonly string[]): string[] | undefined {
  return findCycle(
    new Map(
      files.map((file) => [
        file,
        importsFrom(file)
          .filter(({ isType }) => !isType)
          .map(({ to }) => to),
      ]),
    ),
  );
}

test("the server's folders import downwards only", () => {
  const found = sources("packages/server/src")
    .flatMap(importsFrom)
    .map(violation)
    .filter((v) => v !== undefined);
  assert.deepEqual(found, []);
});

test("torch and protocol do not know each other, nor the server", () => {
  for (const name of ["torch", "protocol"]) {
    const foreign = sources(`packages/${name}/src`)
      .flatMap(importsFrom)
      .filter((i) => i.to === "sconce" || i.to.startsWith("@sconce/"));
    assert.deepEqual(foreign, []);
  }
});

test("torch uses Node only in its `node` entry", () => {
  const node = sources("packages/torch/src")
    .filter((file) => !file.endsWith("src/node.ts"))
    .flatMap(importsFrom)
    .filter((i) => i.to.startsWith("node:"));
  assert.deepEqual(node, []);
});

for (const name of ["protocol", "torch", "server"]) {
  test(`no import cycles in ${name}`, () => {
    assert.equal(valueCycle(sources(`packages/${name}/src`))?.join(" → "), undefined);
  });
}
