// Tests the short forms of the procedures in this folder, on the built server.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { programOrReason } from "../program.ts";
import { PROCEDURES } from "./procedures.ts";
import { runProcedure } from "./rig.ts";

const SEED = 1;
const SHORT_MS = 2_000;
const NEEDED = { "redis-server": programOrReason("redis-server"), haproxy: programOrReason("haproxy") };

/** Short forms of what `npm run chaos` does for minutes. Only what must hold on a busy machine, too: paces are for the command. */
describe("faults and overload", () => {
  for (const procedure of PROCEDURES) {
    const skip =
      procedure.needs?.map((program) => NEEDED[program].skip).find((reason) => reason !== false) ?? false;
    test(`${procedure.id} ${procedure.title}`, { skip }, async (t) => {
      const findings = await runProcedure(procedure, {
        seed: SEED,
        isShort: true,
        budgetMs: SHORT_MS,
        isPinned: false,
      });
      const skipped = findings.find(({ measured }) => measured.startsWith("skipped: "));
      if (skipped !== undefined) t.skip(`${skipped.what}: ${skipped.measured}`);
      const missed = findings.filter(({ isMet, kind }) => kind === "must" && !isMet);
      assert.deepEqual(missed, []);
    });
  }
});
