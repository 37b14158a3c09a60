import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openBelow } from "./open-below.ts";

const base = realpathSync(mkdtempSync(join(tmpdir(), "below-")));
after(() => rmSync(base, { recursive: true }));
const root = join(base, "models");
mkdirSync(join(root, "..2026"), { recursive: true });
writeFileSync(join(base, "secret"), "secret");
mkdirSync(join(base, "models-of-others"));
writeFileSync(join(base, "models-of-others", "m.onnx"), "theirs");
writeFileSync(join(root, "..2026", "m.onnx"), "ours");

function content(path: string): string {
  const { fd } = openBelow(root, path);
  try {
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}

test("links inside the root are followed: Kubernetes' ..data, a link to a link, a linked folder", () => {
  symlinkSync("..2026", join(root, "..data"));
  symlinkSync("..data/m.onnx", join(root, "m.onnx"));
  symlinkSync("m.onnx", join(root, "again.onnx"));
  symlinkSync(root, join(root, "itself"));
  for (const path of ["m.onnx", "again.onnx", "..data/m.onnx", "itself/again.onnx"])
    assert.equal(content(join(root, path)), "ours", path);
});

test("whatever leads out of the root is rejected by name: links of files and folders, `..`, a folder whose name begins alike", () => {
  symlinkSync(join(base, "secret"), join(root, "absolute"));
  symlinkSync("../secret", join(root, "relative"));
  symlinkSync("absolute", join(root, "twice"));
  symlinkSync("..", join(root, "up"));
  symlinkSync("../models-of-others/m.onnx", join(root, "alike"));
  for (const path of ["absolute", "relative", "twice", "up/secret", "alike", "../secret"])
    assert.throws(() => openBelow(root, join(root, path)), {
      code: "failed_precondition",
      reason: "outside_repository",
      message: /is a link that leads out of the repository/,
    });
  assert.throws(() => openBelow(root, "/etc/passwd"), { reason: "outside_repository" });
});

test("a pipe, a device and a folder are rejected at once, not waited for", () => {
  execFileSync("mkfifo", [join(root, "pipe")]);
  for (const path of [join(root, "pipe"), join(root, "..2026")])
    assert.throws(() => openBelow(root, path), {
      reason: "model_refused",
      message: /: put a plain file there$/,
    });
  assert.throws(() => openBelow("/dev", "/dev/null"), { reason: "model_refused" });
});

test("a file that is missing is the file system's word", () => {
  assert.throws(() => openBelow(root, join(root, "absent")), {
    code: "unavailable",
    reason: "file_unreadable",
    message: "absent cannot be read: it does not exist",
  });
});
