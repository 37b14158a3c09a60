import assert from "node:assert/strict";
import { test } from "node:test";
import { oneLine, printable } from "./printable.ts";

const EVERY = Array.from({ length: 0x3000 }, (_, code) => String.fromCharCode(code)).join("");

test("control characters are spelled, all else stays", () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  const steering = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
  assert.doesNotMatch(printable(EVERY), steering);
  assert.doesNotMatch(oneLine(EVERY), /[\n\t]/);
  assert.equal(printable("\u001b[2J a\n\tä €"), "\\x1b[2J a\n\tä €");
  assert.equal(oneLine("a\nb\u009b\u202e"), "a\\nb\\x9b\\u202e");
});
