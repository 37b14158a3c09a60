import assert from "node:assert/strict";
import { isAbsolute, join, relative, resolve } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { isLeftOut, localName } from "./local-name.ts";

test("names that leave their folder, or cannot be files, are none", () => {
  const bad = [
    "..",
    "../a",
    "a/../../b",
    "a/..",
    "/etc/passwd",
    "//host/a",
    "a//b",
    "a/./b",
    ".",
    "",
    "a/",
    "a\0b",
    "a\nb",
    "a\u007fb",
    "..\\a",
    "C:\\a",
    "C:a",
    "a:stream",
    "\ud800",
    "x".repeat(256),
    "é".repeat(128),
    `${"a/".repeat(16)}b`,
  ];
  for (const key of bad) assert.equal(localName(key), undefined, JSON.stringify(key));
  const good = [
    "a",
    "digits/1/model.pt2",
    "..a",
    "a..b",
    "é/ü.onnx",
    "a b",
    "x".repeat(255),
    `${"a/".repeat(15)}b`,
  ];
  for (const key of good) assert.equal(localName(key), key);
});

test("no name leaves its folder, whatever it is", () => {
  const part = fc.oneof(fc.constantFrom("..", ".", "", "a", "/", "\\", "...", "C:"), fc.string());
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const name = localName(parts.join("/"));
      if (name === undefined) return;
      const root = resolve("/cache/tree");
      const inside = relative(root, join(root, name));
      assert.ok(inside !== "" && !isAbsolute(inside) && inside.split("/")[0] !== "..", name);
    }),
  );
});

test("folders' own objects and hidden ones are left out", () => {
  for (const key of ["", "a/", ".git/config", "a/.hidden/b", "a/.b"]) assert.ok(isLeftOut(key), key);
  for (const key of ["a", "a/b", "a.b", "../a", "./a"]) assert.ok(!isLeftOut(key), key);
});
