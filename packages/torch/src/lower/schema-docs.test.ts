// Tests the docstrings of the lowerings against PyTorch's own schemas.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { supportedOps } from "./supported-ops.ts";

const root = fileURLToPath(new URL("../../src/lower", import.meta.url));

/** The source of every lowering, by its path below `lower/`. */
function sources(): Map<string, string> {
  const files = readdirSync(root, { recursive: true, encoding: "utf8" });
  const product = files.filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"));
  return new Map(product.map((file) => [file, readFileSync(join(root, file), "utf8")]));
}

/** How a docstring begins to speak of an op: "aten.relu.default" → "aten::relu(". */
function spelled(target: string): string {
  return `${target.replace(/^(\w+)\./, "$1::").replace(/\.default$/, "")}(`;
}

test("the schema of every op stands at one lowering: grep for aten::NAME finds the place", () => {
  const texts = sources();
  const strange = supportedOps().flatMap(({ target, schema }) => {
    if (schema === undefined) return [];
    const found = [...texts].filter(([, text]) => text.includes(spelled(target))).map(([file]) => file);
    // An op may have a second lowering, for complex numbers.
    const real = found.filter((file) => dirname(file) !== "complex");
    return found.length > 0 && real.length <= 1 ? [] : [`${target}: ${found.join(", ") || "nowhere"}`];
  });
  assert.deepEqual(strange, []);
});
