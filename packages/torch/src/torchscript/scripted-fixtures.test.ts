// Tests torchscript.ts on the scripted programs of fixtures/scripted, against PyTorch.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openZip } from "../archive/zip.ts";
import { openFixture, runFixture } from "../lower/fixture.kit.ts";
import { nodePlatform, openFileSource } from "../node.ts";

/** Hand-written modules, scripted, frozen and optimized (scripts/python/make_scripted_fixtures.py), with what eager PyTorch answers. */
const folder = fileURLToPath(new URL("../../fixtures/scripted", import.meta.url));

/** How many of the fixtures run at least; the others are refused by name. */
const PASSING = 258;
/** Fixtures that are refused for one reason, which names a way out. */
const REFUSED: readonly (readonly [name: RegExp, reason: RegExp])[] = [
  [/^returning_list\./, /a list that the data lengthen.*join them with torch.stack/],
  [/^appending_one\./, /append a clone/],
  [/^shared_memory\./, /memory that two of its tensors may share.*write into a clone/],
];
let passed = 0;
after(() => assert.ok(passed >= PASSING, `${passed} fixtures pass; ${PASSING} did before`));

for (const pack of readdirSync(folder)) {
  test(`${pack}, scripted, has the values of PyTorch or is refused by name`, async (t) => {
    const source = openFileSource(join(folder, pack));
    t.after(() => source.close());
    const zip = openZip(source, nodePlatform);
    for (const name of zip.entries.keys()) {
      await t.test(name.replace(/\.pt$/, ""), async () => {
        const outcome = await runFixture(openFixture(zip.open(name)));
        if (outcome.status === "pass") passed += 1;
        const reason = outcome.status === "pass" ? "" : outcome.reason;
        assert.ok(outcome.status === "pass" || outcome.status === "refused", `${outcome.status}: ${reason}`);
        const expected = REFUSED.find(([known]) => known.test(name))?.[1];
        if (expected !== undefined) assert.match(reason, expected);
      });
    }
  });
}
