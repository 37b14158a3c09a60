// Tests repository.ts: folders and files that are not as they should be.
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type FileSystem, nodeFileSystem } from "./file-system.ts";
import { base, line, ONNX, PT2, scan, tree } from "./model-tree.kit.ts";

describe("faults", () => {
  const files = {
    "digits.pt2": PT2,
    "s/model.yaml": "",
    "s/model.pt2": PT2,
    "r/1/m.onnx": ONNX,
    "r/2/m.onnx": ONNX,
    "v/model.yaml": "",
    "v/1/m.onnx": ONNX,
  };

  test("a path that does not exist says so, and the others are served", async () => {
    const result = await scan([join(base, "missing.pt2"), tree({ "a.pt2": PT2 })]);
    assert.deepEqual(result.candidates.map(line), [
      "a/1 pt2 a.pt2",
      "missing/1 unknown ! missing.pt2 cannot be read",
    ]);
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
      async list(folder, limit) {
        step();
        return await nodeFileSystem.list(folder, limit);
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
