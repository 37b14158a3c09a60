// Tests package-lock.json: what is installed asks for no newer Node than is supported, and runs nothing while it is installed that is not known.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

interface Locked {
  readonly version?: string;
  readonly engines?: { readonly node?: string };
  readonly hasInstallScript?: boolean;
  readonly deprecated?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
}

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const { packages } = JSON.parse(readFileSync(at("package-lock.json"), "utf8")) as {
  readonly packages: Readonly<Record<string, Locked>>;
};
const all = Object.entries(packages).filter(([path]) => path !== "");
const { satisfies } = createRequire(import.meta.url)("semver") as {
  satisfies(version: string, range: string): boolean;
};

/** The oldest of every supported line, as CONTRIBUTING.md has them. */
const NODES = ["20.19.0", "22.13.0", "24.0.0", "26.0.0"];
/** Whose install scripts are known, and that all work without them. */
const SCRIPTS: Readonly<Record<string, string>> = {
  "node_modules/@bufbuild/buf": "looks for its own binary, which is a package",
  "node_modules/onnxruntime-node": "fetches CUDA's providers on Linux x64, which nothing here uses",
  "node_modules/protobufjs": "looks at version numbers",
};

describe("npm ci", () => {
  for (const node of NODES) {
    test(`warns of nothing on Node ${node}`, () => {
      // npm leaves out what is optional and does not fit, without a word.
      const old = all.filter(
        ([, { engines, optional }]) =>
          optional !== true && engines?.node !== undefined && !satisfies(node, engines.node),
      );
      assert.deepEqual(
        old.map(([path]) => path),
        [],
      );
      assert.deepEqual(
        all.filter(([, { deprecated }]) => deprecated !== undefined).map(([path]) => path),
        [],
      );
    });
  }

  test("runs no script of a package, and all those that have one are known", () => {
    assert.match(readFileSync(at(".npmrc"), "utf8"), /^ignore-scripts=true$/m);
    const scripted = all
      .filter(([, { hasInstallScript }]) => hasInstallScript === true)
      .map(([path]) => path);
    assert.deepEqual(scripted.sort(), Object.keys(SCRIPTS).sort());
  });
});
