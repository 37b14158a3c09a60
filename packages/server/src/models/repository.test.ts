import assert from "node:assert/strict";
import { linkSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { before, describe, test } from "node:test";
import { systemClock } from "../base/clock.ts";
import { createYamlReader } from "../config/yaml-reader.ts";
import { nodeFileSystem } from "./file-system.ts";
import {
  CHECKPOINT,
  FLAT_PT2,
  line,
  lines,
  MAR,
  ONNX,
  PICKLE,
  PT2,
  SAFETENSORS,
  SCRIPT,
  scan,
  tree,
  zip,
} from "./model-tree.kit.ts";
import { createRepository } from "./repository.ts";

describe("formats by content", () => {
  const cases: readonly (readonly [string, Buffer, string])[] = [
    ["a.pt2", PT2, "a/1 pt2 a.pt2"],
    ["a.pt", PT2, "a/1 pt2 a.pt"],
    ["a.pt2", FLAT_PT2, "a/1 pt2 a.pt2"],
    ["a.pth", SCRIPT, "a/1 torchscript a.pth"],
    ["a.bin", ONNX, "a/1 onnx a.bin"],
    ["a.pt", CHECKPOINT, "a/1 checkpoint ! the file holds weights without a program"],
    ["a.onnx", PICKLE, "a/1 checkpoint ! the file holds weights without a program"],
    ["a.safetensors", SAFETENSORS, "a/1 safetensors ! the file holds weights without a program"],
    ["a.mar", MAR, "a/1 mar a.mar"],
    ["a.pt2", zip("hello.txt"), "a/1 zip ! the file is a zip archive without a PyTorch program"],
    [
      "a.pt2",
      PT2.subarray(0, 60),
      "a/1 damaged-zip ! the file is a zip archive that is truncated or damaged",
    ],
    ["a.onnx", Buffer.from("hello"), "a/1 unknown ! the content is not a model format that Sconce knows"],
    ["a.pt2", Buffer.alloc(0), "a/1 empty ! the file is empty"],
  ];
  for (const [name, content, expected] of cases) {
    test(`${name} with ${content.length} bytes: ${expected}`, async () => {
      assert.deepEqual(await lines(join(tree({ [name]: content }), name)), [expected]);
      assert.deepEqual(await lines(tree({ [name]: content })), [expected]);
    });
  }
});

describe("layouts", () => {
  test("a folder of files, folders and versions is a repository", async () => {
    const root = tree({
      "digits.pt2": PT2,
      "sentiment/model.yaml": "",
      "sentiment/model.pt2": PT2,
      "resnet/1/model.onnx": ONNX,
      "resnet/2/model.onnx": ONNX,
      "resnet/10/model.onnx": ONNX,
      "resnet/config.pbtxt": "",
      "legacy.mar": MAR,
      "README.md": "# models",
      ".hidden.pt2": PT2,
      ".cache/model.pt2": PT2,
      "notes/": "",
    });
    assert.deepEqual(await lines(root), [
      "digits/1 pt2 digits.pt2",
      "legacy/1 mar legacy.mar",
      "notes/1 unknown ! the folder holds no model file",
      "resnet/1 onnx model.onnx",
      "resnet/2 onnx model.onnx",
      "resnet/10 onnx model.onnx",
      "sentiment/1 pt2 model.pt2",
    ]);
  });

  test("model.yaml and model.py come with the model, from the version's folder first", async () => {
    const root = tree({
      "a/model.yaml": "",
      "a/1/model.pt2": PT2,
      "a/2/model.pt2": PT2,
      "a/2/model.yaml": "",
      "a/2/model.py": "",
    });
    const { candidates } = await scan([root]);
    assert.deepEqual(
      candidates.map((found) => [found.configFile?.slice(root.length), found.codeFile?.slice(root.length)]),
      [
        ["/a/model.yaml", undefined],
        ["/a/2/model.yaml", "/a/2/model.py"],
      ],
    );
  });

  test("model.py makes a model of weights, and of nothing; programs are models without it", async () => {
    const root = tree({
      "code/model.py": "",
      "bert/config.json": "{}",
      "bert/model.safetensors": SAFETENSORS,
      "notes/config.json": "{}",
      "program/model.py": "",
      "program/net.pt2": PT2,
      "program/net.pth": CHECKPOINT,
      "parts/config.json": "{}",
      "parts/model-00001-of-00002.safetensors": SAFETENSORS,
      "parts/model-00002-of-00002.safetensors": SAFETENSORS,
      "parts/model.safetensors.index.json": "{}",
      "several/a.pth": CHECKPOINT,
      "several/b.safetensors": SAFETENSORS,
      "several/model.py": "",
      "tabular/model.py": "",
      "tabular/weights.pth": CHECKPOINT,
      "versions/1/model.safetensors": SAFETENSORS,
      "versions/2/model.pth": PICKLE,
      "versions/model.py": "",
    });
    assert.deepEqual(await lines(root), [
      "bert/1 safetensors model.safetensors",
      "code/1 code model.py",
      "notes/1 unknown ! the folder holds no model file",
      "parts/1 safetensors model-00001-of-00002.safetensors",
      "program/1 pt2 net.pt2",
      "several/1 unknown ! the folder holds several model files (b.safetensors, a.pth)",
      "tabular/1 checkpoint weights.pth",
      "versions/1 safetensors model.safetensors",
      "versions/2 checkpoint model.pth",
    ]);
    const { candidates } = await scan([join(root, "tabular"), join(root, "versions")]);
    assert.deepEqual(
      candidates.map(({ codeFile }) => codeFile?.slice(root.length)),
      ["/tabular/model.py", "/versions/model.py", "/versions/model.py"],
    );
    const loose = tree({ "a.pt2": PT2, "b.pt2": PT2, "model.py": "" });
    assert.deepEqual(await lines(loose), ["a/1 pt2 a.pt2", "b/1 pt2 b.pt2"]);
  });

  test("pickles are tried where the operator allows them", async () => {
    const root = tree({ "a.pth": CHECKPOINT, "b.safetensors": SAFETENSORS });
    const yaml = createYamlReader({ clock: systemClock });
    const options = { paths: [{ path: root }], fileSystem: nodeFileSystem, yaml, acceptsPickles: true };
    assert.deepEqual((await createRepository(options).scan()).candidates.map(line), [
      "a/1 checkpoint a.pth",
      "b/1 safetensors ! the file holds weights without a program",
    ]);
  });

  test("a model folder may be given as the path itself", async () => {
    const root = tree({ "m/model.yaml": "", "m/net.pt2": PT2, "v/1/model.onnx": ONNX, "p/model.onnx": ONNX });
    assert.deepEqual(await lines(join(root, "m"), join(root, "v"), join(root, "p")), [
      "m/1 pt2 net.pt2",
      "p/1 onnx model.onnx",
      "v/1 onnx model.onnx",
    ]);
  });

  test("KServe's folder: a model under the given name, or a repository", async () => {
    const model = { path: tree({ "bert.pt2": PT2, "vocab.txt": "" }), name: "bert-base" };
    assert.deepEqual(await lines(model), ["bert-base/1 pt2 bert.pt2"]);
    const versions = { path: tree({ "3/model.pt2": PT2 }), name: "bert-base" };
    assert.deepEqual(await lines(versions), ["bert-base/3 pt2 model.pt2"]);
    assert.deepEqual(await lines(tree({ "a/model.pt2": PT2, "b.onnx": ONNX })), [
      "a/1 pt2 model.pt2",
      "b/1 onnx b.onnx",
    ]);
  });

  test("a folder with a program and weights serves the program; two programs need a choice", async () => {
    const root = tree({
      "one/net.pt2": PT2,
      "one/tuned.safetensors": SAFETENSORS,
      "two/a.pt2": PT2,
      "two/b.onnx": ONNX,
      "named/model.onnx": ONNX,
      "named/other.pt2": PT2,
    });
    assert.deepEqual(await lines(root), [
      "named/1 onnx model.onnx",
      "one/1 pt2 net.pt2",
      "two/1 unknown ! the folder holds several model files (a.pt2, b.onnx)",
    ]);
  });
});

describe("names", () => {
  test("length is limited to 128", async () => {
    for (const [length, ok] of [
      [127, true],
      [128, true],
      [129, false],
    ] as const) {
      const { candidates } = await scan([tree({ [`${"n".repeat(length)}.pt2`]: PT2 })]);
      assert.equal(candidates[0]?.problem === undefined, ok, `${length}`);
    }
  });

  test("odd names are listed with what to do", async () => {
    const found = await lines(tree({ "with space.pt2": PT2, "-dash.pt2": PT2, "ünïcode/model.pt2": PT2 }));
    assert.equal(found.length, 3);
    for (const text of found) assert.match(text, /! the name cannot be served/);
  });

  test("a name that is claimed twice is reported; the file that says more serves", async () => {
    const root = tree({ "digits.onnx": ONNX, "digits.pt2": PT2 });
    const { candidates, problems } = await scan([root]);
    assert.deepEqual(candidates.map(line), ["digits/1 pt2 digits.pt2"]);
    assert.deepEqual(problems, [
      'model "digits" version 1 is claimed twice: serving digits.pt2, not digits.onnx; rename one of them',
    ]);
  });

  test("of two paths with the same model the first serves", async () => {
    const [a, b] = [tree({ "m.pt2": PT2 }), tree({ "m.pt2": PT2 })];
    const { candidates, problems } = await scan([a, b]);
    assert.equal(candidates.length, 1);
    assert.ok(candidates[0]!.file.startsWith(a));
    assert.deepEqual(problems, [
      `model "m" version 1 is claimed twice: serving ${basename(a)}/m.pt2, not ${basename(b)}/m.pt2; rename one of them`,
    ]);
  });

  test("a path that is given twice, or a file beside its folder, is one model", async () => {
    const root = tree({ "m.pt2": PT2, "n/model.pt2": PT2 });
    const { candidates, problems } = await scan([root, join(root, "m.pt2"), join(root, "m.pt2"), root]);
    assert.deepEqual(candidates.map(line), ["m/1 pt2 m.pt2", "n/1 pt2 model.pt2"]);
    assert.deepEqual(problems, []);
  });
});

describe("links", () => {
  let root = "";
  before(() => {
    root = tree({ "repo/real.pt2": PT2, "outside/secret.pt2": PT2, "repo/..data/inner.pt2": PT2 });
    symlinkSync(join(root, "repo/..data/inner.pt2"), join(root, "repo/mounted.pt2"));
    symlinkSync(join(root, "outside/secret.pt2"), join(root, "repo/escape.pt2"));
    symlinkSync(join(root, "outside"), join(root, "repo/folder"));
    symlinkSync(join(root, "nowhere"), join(root, "repo/dangling.pt2"));
  });

  test("lead where they lead inside the repository, and nowhere else", async () => {
    assert.deepEqual(await lines(join(root, "repo")), [
      "dangling/1 unknown ! dangling.pt2 cannot be read",
      "escape/1 unknown ! it is a link that leads out of the repository",
      "mounted/1 pt2 inner.pt2",
      "real/1 pt2 real.pt2",
    ]);
  });

  test("a path that the operator gives may be a link", async () => {
    symlinkSync(join(root, "repo"), join(root, "linked"));
    assert.equal((await scan([join(root, "linked")])).candidates.length, 4);
  });
});

test("a folder of far too many files is listed with its reason, and the others are served", async () => {
  const root = tree({ "good/model.onnx": ONNX, "data/model.onnx": ONNX });
  for (let i = 0; i < 20_001; i++) linkSync(join(root, "good", "model.onnx"), join(root, "data", `${i}.jpg`));
  const { candidates, complete } = await scan([root]);
  assert.deepEqual(candidates.map(line), [
    "data/1 unknown ! the folder data holds more than 20000 files and folders",
    "good/1 onnx model.onnx",
  ]);
  assert.ok(complete);
});

describe("files of other servers", () => {
  const remark = async (files: Readonly<Record<string, Buffer | string>>): Promise<string | undefined> => {
    const { candidates } = await scan([tree({ "other.pt2": PT2, ...files })]);
    const found = candidates.find(({ name }) => name === "m");
    return found?.problem === undefined ? found?.remark : `! ${found.problem}`;
  };

  for (const [what, files, expected] of [
    [
      "a config.pbtxt that asks for what there is not",
      { "m/config.pbtxt": "optimization {}", "m/1/model.onnx": ONNX },
      /^config\.pbtxt: optimization has no effect$/,
    ],
    [
      "an ensemble without steps",
      { "m/config.pbtxt": 'platform: "ensemble"', "m/1/": "" },
      /^! config\.pbtxt: an ensemble needs ensemble_scheduling/,
    ],
    [
      "a file that default_model_filename names and that is not there",
      { "m/config.pbtxt": 'default_model_filename: "net.onnx"', "m/1/model.onnx": ONNX },
      /^! config\.pbtxt: there is no model file "net\.onnx"/,
    ],
    [
      "MLServer's settings",
      { "m/model-settings.json": '{"env": {"a": 1}}', "m/model.onnx": ONNX },
      /^model-settings\.json: env has no effect$/,
    ],
    [
      "settings of two other servers",
      { "m/config.pbtxt": "", "m/model-settings.json": "{}", "m/model.onnx": ONNX },
      /^model-settings\.json is not read, because there is a config\.pbtxt/,
    ],
    [
      "two files of settings",
      { "m/model.yaml": "", "m/model.yml": "", "m/model.onnx": ONNX },
      /^model\.yml is not read/,
    ],
    [
      "a version 0001",
      { "m/1/model.onnx": ONNX, "m/0002/model.onnx": ONNX },
      /^the folder 0002 is not read.* such as 2$/,
    ],
    [
      "a version 0 alone",
      { "m/0/model.onnx": ONNX },
      /^! the folder holds no model file.*the folder 0 is not read.* such as 1$/,
    ],
    [
      "a version v1 alone",
      { "m/v1/model.onnx": ONNX },
      /^! the folder holds no model file.*the folder v1 is not read.* such as 1$/,
    ],
    [
      "a SavedModel",
      { "m/1/model.savedmodel/saved_model.pb": "" },
      /^! .*TensorFlow SavedModel: convert its folder/,
    ],
    ["nothing odd", { "m/1/model.onnx": ONNX, "m/labels.txt": "", "m/notes/a.md": "" }, /^$/],
  ] as const) {
    test(`${what}: the index says so`, async () => assert.match((await remark(files)) ?? "none", expected));
  }

  test("a model.yaml that is a link out of the repository stops its model, instead of being ignored", async () => {
    const root = tree({ "repo/m/model.onnx": ONNX, "repo/other.pt2": PT2, "outside.yaml": "instances: 2" });
    symlinkSync(join(root, "outside.yaml"), join(root, "repo/m/model.yaml"));
    const { candidates } = await scan([join(root, "repo")]);
    assert.match(candidates[0]?.problem ?? "", /^model\.yaml: it is a link that leads out of the repository/);
  });
});
