import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type FileSystem, nodeFileSystem } from "./file-system.ts";
import type { ModelCandidate } from "./model-candidate.ts";
import { createRepository, type RepositoryPath } from "./repository.ts";

const base = mkdtempSync(join(tmpdir(), "sconce-repository-"));
after(() => rmSync(base, { recursive: true, force: true }));
let folders = 0;

/** A zip that only has names: enough to be told apart. */
function zip(...names: readonly string[]): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const name of names) {
    const local = Buffer.alloc(30 + name.length);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    local.write(name, 30);
    const entry = Buffer.alloc(46 + name.length);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(offset, 42);
    entry.write(name, 46);
    locals.push(local);
    central.push(entry);
    offset += local.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(names.length, 8);
  end.writeUInt16LE(names.length, 10);
  end.writeUInt32LE(Buffer.concat(central).length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, ...central, end]);
}

const PT2 = zip("digits/models/model.json", "digits/data/weights/weight_0", "digits/archive_format");
const FLAT_PT2 = zip("serialized_exported_program.json", "version");
const SCRIPT = zip("net/data.pkl", "net/code/__torch__.py", "net/constants.pkl");
const CHECKPOINT = zip("net/data.pkl", "net/data/0", "net/version");
const MAR = zip("MAR-INF/MANIFEST.json", "model.pt");
const ONNX = Buffer.from([0x08, 0x0b, 0x12, 0x02, 0x70, 0x74, 0x3a, 0x00]);
const SAFETENSORS = Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from("{}")]);
const PICKLE = Buffer.from([0x80, 0x02, 0x8a, 0x0a, 0x6c]);

function tree(files: Readonly<Record<string, Buffer | string>>): string {
  const root = join(base, `tree-${folders++}`);
  mkdirSync(root);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (path.endsWith("/")) mkdirSync(join(root, path), { recursive: true });
    else writeFileSync(join(root, path), content);
  }
  return root;
}

async function scan(paths: readonly (string | RepositoryPath)[], fileSystem: FileSystem = nodeFileSystem) {
  const list = paths.map((path) => (typeof path === "string" ? { path } : path));
  return createRepository({ paths: list, fileSystem }).scan();
}

function line(candidate: ModelCandidate): string {
  const what =
    candidate.problem === undefined ? basename(candidate.file) : `! ${candidate.problem.split(":")[0]}`;
  return `${candidate.name}/${candidate.version} ${candidate.kind} ${what}`;
}

async function lines(...paths: readonly (string | RepositoryPath)[]): Promise<string[]> {
  return (await scan(paths)).candidates.map(line);
}

describe("kinds by content", () => {
  const cases: readonly (readonly [string, Buffer, string])[] = [
    ["a.pt2", PT2, "a/1 pt2 a.pt2"],
    ["a.pt", PT2, "a/1 pt2 a.pt"],
    ["a.pt2", FLAT_PT2, "a/1 pt2 a.pt2"],
    ["a.pth", SCRIPT, "a/1 torchscript a.pth"],
    ["a.bin", ONNX, "a/1 onnx a.bin"],
    ["a.pt", CHECKPOINT, "a/1 checkpoint ! this file holds weights without a program"],
    ["a.onnx", PICKLE, "a/1 checkpoint ! this file holds weights without a program"],
    ["a.safetensors", SAFETENSORS, "a/1 safetensors ! this file holds weights without a program"],
    ["a.mar", MAR, "a/1 mar ! TorchServe archives are not served by this release"],
    ["a.pt2", zip("hello.txt"), "a/1 archive ! this archive holds no PyTorch program"],
    ["a.pt2", PT2.subarray(0, 60), "a/1 archive ! this archive holds no PyTorch program"],
    ["a.onnx", Buffer.from("hello"), "a/1 unknown ! the content is no model format that Sconce knows"],
    ["a.pt2", Buffer.alloc(0), "a/1 unknown ! the content is no model format that Sconce knows"],
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
      "legacy/1 mar ! TorchServe archives are not served by this release",
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

  test("what this server runs can be widened", async () => {
    const root = tree({ "legacy.mar": MAR });
    const repository = createRepository({
      paths: [{ path: root }],
      fileSystem: nodeFileSystem,
      servable: new Set(["mar"]),
    });
    assert.deepEqual((await repository.scan()).candidates.map(line), ["legacy/1 mar legacy.mar"]);
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
    assert.equal(problems.length, 1);
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
      "dangling/1 unknown ! it cannot be read",
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

describe("faults", () => {
  const files = {
    "digits.pt2": PT2,
    "s/model.yaml": "",
    "s/model.pt2": PT2,
    "r/1/m.onnx": ONNX,
    "r/2/m.onnx": ONNX,
  };

  test("a path that does not exist says so, and the others are served", async () => {
    const result = await scan([join(base, "missing.pt2"), tree({ "a.pt2": PT2 })]);
    assert.deepEqual(result.candidates.map(line), ["a/1 pt2 a.pt2", "missing/1 unknown ! it cannot be read"]);
    assert.equal(result.complete, false);
    assert.doesNotMatch(result.candidates[1]!.problem!, new RegExp(base));
  });

  test("whichever call fails, nothing else changes and nothing is taken for gone", async () => {
    const root = tree(files);
    const good = (await scan([root])).candidates;
    for (let k = 0; ; k++) {
      const faulty = failingAt(k);
      const result = await scan([root], faulty.fileSystem);
      if (faulty.count() <= k) {
        assert.ok(k > 10, `${k} calls`);
        break;
      }
      for (const expected of good) {
        const found = result.candidates.find(
          (c) => c.name === expected.name && c.version === expected.version,
        );
        const same = found !== undefined && line(found) === line(expected);
        const excused = result.candidates.some((c) => c.name === expected.name && c.unreadable);
        assert.ok(same || excused || !result.complete, `call ${k}: ${line(expected)}`);
        if (same) assert.equal(found.configFile, expected.configFile, `call ${k}`);
      }
    }
  });
});

/** The real file system, but the k-th call fails as a bad disk would. */
function failingAt(k: number): { readonly fileSystem: FileSystem; count(): number } {
  let calls = 0;
  const step = (): void => {
    if (calls++ === k) throw Object.assign(new Error("EIO: i/o error, /secret/path"), { code: "EIO" });
  };
  return {
    count: () => calls,
    fileSystem: {
      async list(folder) {
        step();
        return await nodeFileSystem.list(folder);
      },
      async facts(path) {
        step();
        return await nodeFileSystem.facts(path);
      },
      async resolve(path) {
        step();
        return await nodeFileSystem.resolve(path);
      },
      read: (path, use) =>
        nodeFileSystem.read(path, (read) =>
          use(async (offset, length) => {
            step();
            return await read(offset, length);
          }),
        ),
    },
  };
}
