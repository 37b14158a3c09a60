import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { runCommand } from "../command.kit.ts";
import { writeArchive } from "../torchserve/archive.kit.ts";
import { migrateCommand } from "./migrate.ts";

const at = (path: string): string => fileURLToPath(new URL(`../../../../../${path}`, import.meta.url));
const DIGITS = at("examples/models/digits.pt2");
const BRANCHES = at("packages/torch/fixtures/rewrite/branches.onnx");
const before = process.cwd();
const folders: string[] = [];
after(() => {
  process.chdir(before);
  for (const folder of folders) rmSync(folder, { recursive: true });
});

beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), "migrate-"));
  folders.push(folder);
  process.chdir(folder);
});

function save(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

function layOutStore(): void {
  mkdirSync("store");
  const common = { modelVersion: "1.0", serializedFile: "digits.pt2" };
  writeArchive(
    "store/digits.mar",
    { ...common, modelName: "numbers", handler: "image_classifier", configFile: "model-config.yaml" },
    {
      "digits.pt2": readFileSync(DIGITS),
      "model-config.yaml": "minWorkers: 2\nmaxWorkers: 2\nparallelType: tp\nhandler:\n  top: 3\n",
      "requirements.txt": "pillow # for images\n",
    },
  );
  writeArchive("store/newer.mar", { modelName: "numbers", modelVersion: "2.0", handler: "h.py" });
  writeArchive("store/native.mar", { modelName: "native", modelVersion: "1.0", handler: "h.so" });
  save("store/half.mar", "PK");
}

const PROPERTIES = `model_store=store
job_queue_size=50
number_of_netty_threads=32
service_envelope=mine
models={"numbers": {"2.0": {"minWorkers": 1, "batchSize": 4}}}
`;

describe("a model store of TorchServe", () => {
  test("shows what becomes of each setting and model, and writes nothing", async () => {
    layOutStore();
    save("config.properties", PROPERTIES);
    const { code, stdout } = await runCommand(migrateCommand, "store");
    assert.equal(code, 1);
    for (const line of [
      /^TorchServe's model store store, configured by config\.properties$/m,
      /^ {2}job_queue_size=50 +max_queue_size: 50$/m,
      /^ {2}number_of_netty_threads=32 +not needed: /m,
      /^ {2}service_envelope=mine +NOT FOLLOWED: /m,
      /^ {2}numbers 1 \(digits\.mar\): with Python: TorchServe's own handler image_classifier is Python/m,
      /^ {4}parallelType=tp +NOT FOLLOWED: /m,
      /^ {4}minWorkers=2 +instances: 2$/m,
      /note: install in that Python before: pillow$/m,
      /note: digits\.pt2 alone runs without Python: /m,
      /^ {2}numbers 2 \(newer\.mar\): with Python: its handler h\.py/m,
      /^ {2}half 1 \(half\.mar\): NOT SERVED: /m,
      /^4 models: 0 without Python, 3 with Python, 1 not served; \d points stand against the move$/m,
      /^\+\+\+ sconce\.yaml$/m,
      /^\+ {2}max_queue_size: 50$/m,
      /^\+version_policy: all$/m,
      /^models\/numbers\/2\/model\.mar: the same file as store\/newer\.mar$/m,
    ])
      assert.match(stdout, line);
    assert.ok(!existsSync("models") && !existsSync("sconce.yaml"));
  });

  test("with --write it is a folder that is served, once, and what somebody changed stays", async () => {
    layOutStore();
    save("config.properties", PROPERTIES.replace("service_envelope=mine\n", ""));
    const { stdout } = await runCommand(migrateCommand, "store", "--write", "-o", "served");
    assert.match(stdout, /^wrote sconce\.yaml$/m);
    assert.equal(statSync("served/numbers/1/model.mar").ino, statSync("store/digits.mar").ino);
    assert.match(readFileSync("sconce.yaml", "utf8"), /^compat: torchserve$/m);
    assert.match(readFileSync("served/numbers/model.yaml", "utf8"), /^max_batch_size: 4$/m);
    const again = await runCommand(migrateCommand, "store", "-o", "served");
    assert.match(again.stdout, /^sconce\.yaml: is there already$/m);
    save("sconce.yaml", "port: 1\n");
    const changed = await runCommand(migrateCommand, "store", "--write", "-o", "served");
    assert.match(changed.stdout, /^left sconce\.yaml as it is/m);
    assert.equal(readFileSync("sconce.yaml", "utf8"), "port: 1\n");
    const shown = await runCommand(migrateCommand, "store", "-o", "served");
    assert.match(shown.stdout, /^--- sconce\.yaml$[\s\S]*^-port: 1$/m);
    await runCommand(migrateCommand, "store", "--write", "--overwrite", "-o", "served");
    assert.match(readFileSync("sconce.yaml", "utf8"), /^compat: torchserve$/m);
  });

  test("a model file that is another one is never replaced", async () => {
    layOutStore();
    save("models/native/model.mar", "mine");
    const { code, stdout } = await runCommand(migrateCommand, "store", "--write", "--overwrite");
    assert.equal(code, 1);
    assert.match(stdout, /^left models\/native\/model\.mar as it is/m);
    assert.equal(readFileSync("models/native/model.mar", "utf8"), "mine");
  });

  test("--json holds all of it; 0 when nothing stands against it", async () => {
    mkdirSync("store");
    writeArchive("store/m.mar", { modelName: "m", modelVersion: "1.0", handler: "h.py" });
    save("config.properties", "model_store=store\nload_models=all\n");
    const { code, stdout } = await runCommand(migrateCommand, "config.properties", "--json");
    assert.equal(code, 0);
    const plan = JSON.parse(stdout) as {
      readonly from: string;
      readonly openPoints: number;
      readonly models: readonly { readonly name: string; readonly runtime: string }[];
      readonly files: readonly {
        readonly path: string;
        readonly state: string;
        readonly isWritten: boolean;
      }[];
    };
    assert.deepEqual([plan.from, plan.openPoints, plan.models[0]!.runtime], ["torchserve", 0, "python"]);
    assert.deepEqual(
      plan.files.map(({ path, state, isWritten }) => [path, state, isWritten]),
      [
        ["sconce.yaml", "new", false],
        ["models/m/model.mar", "new", false],
      ],
    );
  });
});

describe("a repository of Triton", () => {
  test("shows what runs each model, and what does not", async () => {
    for (const name of ["branches", "digits"]) mkdirSync(`repo/${name}/1`, { recursive: true });
    copyFileSync(BRANCHES, "repo/branches/1/model.onnx");
    save(
      "repo/branches/config.pbtxt",
      'platform: "onnxruntime_onnx"\nmax_batch_size: 8\ninstance_group [{ count: 2 kind: KIND_GPU }]\ndynamic_batching { max_queue_delay_microseconds: 500 }\n',
    );
    copyFileSync(DIGITS, "repo/digits/1/model.pt2");
    save("repo/engine/config.pbtxt", 'platform: "tensorrt_plan"\n');
    save("repo/engine/1/model.plan", "x");
    save("repo/script/config.pbtxt", 'backend: "python"\n');
    save("repo/script/1/model.py", "class TritonPythonModel: ...\n");
    const { code, stdout } = await runCommand(migrateCommand, "repo", "--write");
    assert.equal(code, 1);
    for (const line of [
      /^ {2}branches 1 \(branches\/1\/model\.onnx\): without Python: the file is ONNX$/m,
      /config\.pbtxt +max_batch_size: 8, max_queue_delay: 0\.5, instances: 2$/m,
      /note: config\.pbtxt: KIND_GPU has no effect/m,
      /^ {2}digits 1 .*: without Python: every op translates to ONNX/m,
      /^ {2}engine 1 .*: NOT SERVED: .*tensorrt_plan is not served: export the model to ONNX/m,
      /^ {2}script 1 .*: NOT SERVED: .*backend python is not served/m,
      /^wrote repo\/branches\/model\.yaml$/m,
      /^Serve it: sconce serve repo$/m,
    ])
      assert.match(stdout, line);
    assert.match(readFileSync("repo/branches/model.yaml", "utf8"), /^max_batch_size: 8$/m);
  });
});

test("a folder that is nobody's is wrong usage", async () => {
  mkdirSync("empty");
  await assert.rejects(runCommand(migrateCommand, "empty"), /holds neither TorchServe's archives/);
  save("notes.txt", "");
  await assert.rejects(
    runCommand(migrateCommand, "notes.txt"),
    /expected a folder of models, or a config\.properties/,
  );
  await assert.rejects(runCommand(migrateCommand, "nowhere"), { reason: "missing_path" });
  await assert.rejects(runCommand(migrateCommand), { reason: "bad_arguments" });
});
