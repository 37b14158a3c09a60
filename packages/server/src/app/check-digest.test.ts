import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkDigest } from "./check-digest.ts";

const NEVER = new AbortController().signal;

test("a file is held against the digest of its settings", async (t) => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "sconce-digest-")));
  t.after(() => rmSync(root, { recursive: true }));
  const file = join(root, "model.onnx");
  // More than one piece.
  const content = randomBytes(600_000);
  writeFileSync(file, content);
  const digest = createHash("sha256").update(content).digest("hex");
  await checkDigest({ root, file }, digest, NEVER);
  await checkDigest({ root, file }, digest.toUpperCase(), NEVER);
  await assert.rejects(checkDigest({ root, file }, "0".repeat(64), NEVER), {
    reason: "digest_mismatch",
    message: `model.onnx has the SHA-256 ${digest}, and ${"0".repeat(64)} is expected by model.yaml`,
  });
  await assert.rejects(checkDigest({ root, file }, `sha256:${digest}`, NEVER), { reason: "invalid_config" });
  symlinkSync("/etc/hostname", join(root, "link.onnx"));
  await assert.rejects(checkDigest({ root, file: join(root, "link.onnx") }, digest, NEVER), {
    reason: "outside_repository",
  });
  await assert.rejects(checkDigest({ root, file: join(root, "none.onnx") }, digest, NEVER), {
    reason: "file_unreadable",
  });
  await assert.rejects(checkDigest({ root, file }, digest, AbortSignal.abort()));
});
