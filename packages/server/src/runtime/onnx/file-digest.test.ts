import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileDigest, fileDigestBeside } from "./file-digest.ts";

const folder = mkdtempSync(join(tmpdir(), "digest-"));
after(() => rmSync(folder, { recursive: true }));

test("a file's digest is its SHA-256, in a thread as well", async () => {
  const file = join(folder, "f");
  for (const size of [0, 1, 1024 * 1024, 1024 * 1024 + 1, 16 * 1024 * 1024]) {
    const bytes = new Uint8Array(size).fill(size % 256);
    writeFileSync(file, bytes);
    const wanted = createHash("sha256").update(bytes).digest("hex");
    assert.equal(fileDigest(file), wanted);
    assert.equal(await fileDigestBeside(file), wanted);
  }
});

test("a file that cannot be read is named with what the file system said, in a thread as well", async () => {
  const file = join(folder, "away.pt2");
  const unreadable = {
    code: "unavailable",
    reason: "file_unreadable",
    message: "away.pt2 cannot be read: it does not exist",
  };
  await assert.rejects(fileDigestBeside(file), unreadable);
  writeFileSync(file, new Uint8Array(16 * 1024 * 1024));
  const digest = fileDigestBeside(file);
  // The thread has yet to start.
  rmSync(file);
  await assert.rejects(digest, unreadable);
});

test("past 512 MiB the digest stands for size, time and both ends", () => {
  const file = join(folder, "large");
  const digestOf = (size: number, seconds: number): string => {
    writeFileSync(file, "x");
    truncateSync(file, size);
    utimesSync(file, seconds, seconds);
    return fileDigest(file);
  };
  const size = 512 * 1024 * 1024 + 1;
  const digest = digestOf(size, 1000);
  assert.equal(digestOf(size, 1000), digest);
  assert.notEqual(digestOf(size, 1001), digest);
  assert.notEqual(digestOf(size + 1, 1000), digest);
});
