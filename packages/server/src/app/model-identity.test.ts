import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { loadConfig } from "../config/load-config.ts";
import { describe as describeModel } from "../models/models.kit.ts";
import { stampOf } from "../runtime/file-stamp.ts";
import { PLAIN_LOAD } from "../runtime/plain-load.ts";
import type { LoadedModel, LoadSpec } from "../runtime/runtime.ts";
import { modelIdentity } from "./model-identity.ts";

const root = mkdtempSync(join(tmpdir(), "sconce-identity-"));
after(() => rmSync(root, { recursive: true, force: true }));
let copies = 0;

type Files = Readonly<Record<string, string>>;

interface Model {
  readonly spec: LoadSpec;
  readonly loaded: LoadedModel;
  readonly folder: string;
}

/** A copy of a model elsewhere, with files of its own times; `read` are those that the model was loaded from. */
function copyOf(files: Files, read: readonly string[], spec: Partial<LoadSpec> = {}): Model {
  const folder = join(root, `${copies++}`);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), content);
    utimesSync(join(folder, name), 1e9 + copies, 1e9 + copies);
  }
  const stamps = read.map((name) => stampOf(join(folder, name), statSync(join(folder, name))));
  const loaded: LoadedModel = {
    // As of a file that is too large for a digest of all of it.
    description: describeModel(`${copies}`),
    instances: [],
    files: () => stamps,
    onStateChange: () => () => {},
    close: async () => {},
    destroy() {},
  };
  const whole = { name: `m${copies}`, version: "1", root: folder, file: join(folder, read[0]!) };
  return { folder, loaded, spec: { ...whole, options: PLAIN_LOAD, ...spec } };
}

const { modelDefaults } = loadConfig({ flags: new Map() });
const identify = (model: Model, config = modelDefaults) => modelIdentity({ ...model, config });
const ONNX: Files = { "model.onnx": "graph", "weights.bin": "numbers" };
const READ = ["model.onnx", "weights.bin"];

describe("what tells models apart in a cache store", () => {
  test("is the same for equal files in other places and of other times", async () => {
    const identity = await identify(copyOf(ONNX, READ));
    assert.match(identity!, /^sconce:[\w-]{32}$/);
    assert.equal(await identify(copyOf(ONNX, READ)), identity);
  });

  test("is another for each byte of any of the files, external weights as well, and for options that change answers", async () => {
    const identity = await identify(copyOf(ONNX, READ));
    const others = [
      await identify(copyOf({ ...ONNX, "weights.bin": "numberS" }, READ)),
      await identify(copyOf({ ...ONNX, "model.onnx": "grapH" }, READ)),
      await identify(copyOf(ONNX, ["model.onnx"])),
      await identify(copyOf(ONNX, READ, { options: { ...PLAIN_LOAD, precision: "int8" } })),
      await identify(copyOf(ONNX, READ, { options: { ...PLAIN_LOAD, rename: { a: "b" } } })),
      await identify(copyOf(ONNX, READ), { ...modelDefaults, padValue: 7 }),
    ];
    assert.equal(new Set([identity, ...others]).size, 1 + others.length);
  });

  test("of a model that code makes, covers what lies beside the code", async () => {
    const files = {
      "model.py": "import helper",
      "helper.py": "a",
      "deep/er.txt": "1",
      "__pycache__/x.pyc": "t",
    };
    const coded = (more: Files): Model => {
      const model = copyOf({ ...files, ...more }, ["model.py"]);
      return { ...model, spec: { ...model.spec, codeFile: join(model.folder, "model.py") } };
    };
    const identity = await identify(coded({}));
    assert.notEqual(identity, undefined);
    assert.equal(await identify(coded({ "__pycache__/x.pyc": "u" })), identity);
    assert.notEqual(await identify(coded({ "helper.py": "b" })), identity);
    assert.notEqual(await identify(coded({ "deep/er.txt": "2" })), identity);
    const linked = coded({});
    writeFileSync(join(root, "elsewhere.py"), "a");
    rmSync(join(linked.folder, "helper.py"));
    symlinkSync(join(root, "elsewhere.py"), join(linked.folder, "helper.py"));
    assert.equal(await identify(linked), identity);
    symlinkSync(root, join(linked.folder, "far"));
    assert.equal(await identify(linked), undefined);
    const many = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`data/${i}`, ""]));
    assert.equal(await identify(coded(many)), undefined);
    assert.equal(await identify(coded({ "a/b/c/d/e/f/g/h/i": "" })), undefined);
  });

  test("is not known once a file is another than the one that was loaded, or when nobody knows the files", async () => {
    const model = copyOf(ONNX, READ);
    writeFileSync(join(model.folder, "weights.bin"), "changed");
    assert.equal(await identify(model), undefined);
    const { files: _files, ...unknown } = model.loaded;
    assert.equal(await identify({ ...model, loaded: unknown }), undefined);
  });
});
