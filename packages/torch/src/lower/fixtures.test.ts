// Tests the lowerings on the exported programs of fixtures/, against PyTorch.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openZip } from "../archive/zip.ts";
import { nodePlatform, openFileSource } from "../node.ts";
import { openFixture, runFixture } from "./fixture.kit.ts";

const folder = fileURLToPath(new URL("../../fixtures", import.meta.url));

for (const pack of readdirSync(folder).filter((name) => name.endsWith(".zip"))) {
  test(`${pack} equals PyTorch`, async (t) => {
    const source = openFileSource(join(folder, pack));
    t.after(() => source.close());
    const zip = openZip(source, nodePlatform);
    for (const name of zip.entries.keys()) {
      await t.test(name.replace(/\.pt2$/, ""), async () => {
        const outcome = await runFixture(openFixture(zip.open(name)));
        assert.equal(outcome.status, "pass", outcome.status === "pass" ? "" : outcome.reason);
      });
    }
  });
}
