import assert from "node:assert/strict";
import { openSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { closeRead } from "./close-read.ts";

test("a descriptor that is closed already is a mistake of the caller's, not the file system's", () => {
  const fd = openSync(fileURLToPath(import.meta.url), "r");
  closeRead(fd);
  assert.throws(() => closeRead(fd), { code: "EBADF" });
});
