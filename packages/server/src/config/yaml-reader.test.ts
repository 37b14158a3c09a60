import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { systemClock } from "../base/clock.ts";
import { ManualClock } from "../base/manual-clock.kit.ts";
import { createYamlReader } from "./yaml-reader.ts";

const base = realpathSync(mkdtempSync(join(tmpdir(), "yaml-")));
after(() => rmSync(base, { recursive: true }));
const reader = createYamlReader({ clock: systemClock });

function read(text: string): Promise<unknown> {
  const path = join(base, "model.yaml");
  writeFileSync(path, text);
  return reader.read(base, path).then(({ values }) => values);
}

/** Small files that cost much: time and memory that grow faster than the file, or without end. */
const BOMBS: Readonly<Record<string, string>> = {
  "an alias inside its own anchor": "max_batch_size: &a [*a, *a]",
  "the same as a mapping": "a: &a {x: *a, y: *a}",
  "aliases of aliases":
    "a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c]\ne: [*d,*d,*d,*d]",
  "90,000 keys": Array.from({ length: 90_000 }, (_, i) => `k${i}: 1`).join("\n"),
  "a list of 400,000": `a: [${"1,".repeat(400_000)}]`,
  "a list of 250,000 in block style": `a:\n${"- 1\n".repeat(250_000)}`,
  "500,000 brackets": `a: ${"[".repeat(500_000)}`,
  "500,000 braces": `a: ${"{".repeat(500_000)}`,
  "500,000 dashes": "- ".repeat(500_000),
  "500,000 question marks": "? ".repeat(500_000),
  "300,000 anchors": "&a ".repeat(300_000),
  "200,000 comments": "#\n".repeat(200_000),
  "100,000 documents": "--- 1\n".repeat(100_000),
  "a long text, a hundred times": `a: &a "${"x".repeat(500_000)}"\nb: [${"*a, ".repeat(99)}*a]`,
  "a deep indentation": Array.from({ length: 1000 }, (_, i) => `${" ".repeat(i)}k:`).join("\n"),
};

describe("a model.yaml that means to stop its reader", () => {
  for (const [what, text] of Object.entries(BOMBS)) {
    test(`${what} is refused in words`, async () => {
      await assert.rejects(read(text), {
        code: "invalid_argument",
        reason: "bad_config_file",
        message: /^model\.yaml: (?!it takes longer|it ends)/,
      });
      assert.deepEqual(await read("instances: 2"), { instances: 2 });
    });
  }

  for (const [what, text] of [
    ["one long text", `a: "${"x".repeat(1_000_000)}"`],
    ["one long plain text", `a: ${"x ".repeat(500_000)}`],
    ["one long number", `a: ${"9".repeat(1_000_000)}`],
    ["one long key", `${"k".repeat(1_000_000)}: 1`],
    ["spaces", `a:${" ".repeat(1_000_000)}1`],
    ["empty lines", `a: 1${"\n".repeat(1_000_000)}`],
    ["one long comment", `#${"c".repeat(1_000_000)}\na: 1`],
    ["escapes", `a: "${"\\n".repeat(500_000)}"`],
    ["a block of lines", `a: |\n${"  x\n".repeat(200_000)}`],
  ] as const) {
    test(`${what} is read or refused, not waited for`, async () => {
      await read(text).catch((error: { readonly message: string }) => {
        assert.doesNotMatch(error.message, /it takes longer|it ends/);
      });
    });
  }
});

test("a file that no reader comes back from is given up, and the next one is read", async () => {
  const clock = new ManualClock();
  const entry = new URL("./stuck-thread.kit.js", import.meta.url);
  const stuck = createYamlReader({ clock, entry, timeoutMs: 5000 });
  const files = ["a.yaml", "stuck.yaml", "b.yaml", "exits.yaml", "c.yaml"];
  const results = files.map((path) =>
    stuck.read("/", `/${path}`).then(
      () => "read",
      (error) => error.message,
    ),
  );
  assert.equal(await results[0], "read");
  while (clock.pendingTimers === 0) await setImmediate();
  clock.advance(5000);
  assert.equal(await results[1], "stuck.yaml: it takes longer than 5 s to read");
  assert.equal(await results[2], "read");
  assert.equal(await results[3], "exits.yaml: it ends whoever reads it");
  assert.equal(await results[4], "read");
});

test("links inside the folder are followed; links out of it, pipes and folders are not opened", async () => {
  writeFileSync(join(base, "real.yaml"), "instances: 3");
  symlinkSync("real.yaml", join(base, "link.yaml"));
  assert.deepEqual((await reader.read(base, join(base, "link.yaml"))).values, { instances: 3 });
  symlinkSync("/etc/hostname", join(base, "out.yaml"));
  await assert.rejects(reader.read(base, join(base, "out.yaml")), { reason: "outside_repository" });
  execFileSync("mkfifo", [join(base, "pipe.yaml")]);
  await assert.rejects(reader.read(base, join(base, "pipe.yaml")), { reason: "model_refused" });
});
