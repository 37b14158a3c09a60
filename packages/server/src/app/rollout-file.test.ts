import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { ModelCandidate } from "../models/model-candidate.ts";
import { candidateOf, scanOf, silentLogger, turns } from "../models/models.kit.ts";
import { setUp, states } from "../models/registry-rig.kit.ts";
import { openRolloutFile, type RolloutFile } from "./rollout-file.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "sconce-rollout-file-")));
after(() => rmSync(folder, { recursive: true }));
const kept = join(folder, "state", "rollouts.json");
const open = (): Promise<RolloutFile> => openRolloutFile(join(folder, "state"), silentLogger);

function candidate(version: string, content: string, fingerprint: string): ModelCandidate {
  const file = join(folder, `${version}.onnx`);
  writeFileSync(file, content);
  return { ...candidateOf("m", { version, fingerprint }), file, root: folder };
}
const one = candidate("1", "one", "f1");

/** A start that finds these; loads succeed when asked to. */
function start(memory: RolloutFile, { wishes }: { readonly wishes: boolean }) {
  return setUp({ trialMemory: memory, ...(wishes && { trials: () => ({ from: undefined }) }) });
}

describe("what became of rollouts", () => {
  test("outlives the server: what did not pass is known by its content", async () => {
    const first = await open();
    const rig = start(first, { wishes: true });
    const two = candidate("2", "two", "f2");
    await first.recognize([one]);
    rig.registry.apply(scanOf(one));
    await turns();
    rig.loads[0]!.succeed();
    await turns();
    await first.recognize([one, two]);
    rig.registry.apply(scanOf(one, two));
    rig.registry.endTrial("m", { kind: "held_back", reason: "rolled back: slow" });
    await first.close();

    for (const [content, fingerprint, isHeld] of [
      ["two", "f2", true],
      ["two", "copied anew", true],
      ["other", "other", false],
    ] as const) {
      const second = await open();
      const next = start(second, { wishes: true });
      const found = [one, candidate("2", content, fingerprint)];
      await second.recognize(found);
      next.registry.apply(scanOf(...found));
      const held = states(next.registry).some((line) => line.includes("rolled back: slow"));
      assert.equal(held, isHeld, `${content} ${fingerprint}`);
      // What may be tried is tried beside the version that served last.
      assert.equal(next.registry.trial("m")?.stable, isHeld ? undefined : "1");
      await second.close();
    }
  });

  test("of a rollout that was asked for, and that the end of the server cut short, the old version serves", async () => {
    writeFileSync(
      kept,
      JSON.stringify({ layout: 1, models: { m: { stable: "1", candidate: "2", held_back: {} } } }),
    );
    const memory = await open();
    const rig = start(memory, { wishes: false });
    rig.registry.apply(scanOf(one, candidate("2", "two", "f2")));
    await turns();
    rig.loads[0]!.succeed();
    await turns();
    assert.deepEqual(states(rig.registry), [
      "m/1 READY",
      "m/2 UNAVAILABLE rolled back: the server ended during its rollout; start it again",
    ]);
    await memory.close();
  });

  test("of one that was promoted, the new version does, whatever from says", async () => {
    writeFileSync(kept, JSON.stringify({ layout: 1, models: { m: { stable: "2", held_back: {} } } }));
    const memory = await open();
    const rig = setUp({ trialMemory: memory, trials: () => ({ from: "1" }) });
    rig.registry.apply(scanOf(one, candidate("2", "two", "f2")));
    assert.equal(rig.registry.trial("m"), undefined);
    await memory.close();
  });

  test("does not follow from an old version that serves while the server ends", async () => {
    writeFileSync(kept, JSON.stringify({ layout: 1, models: {} }));
    const memory = await open();
    const rig = setUp({
      trialMemory: memory,
      trials: () => ({ from: undefined }),
      versionPolicy: () => ({ kind: "all" }),
    });
    rig.registry.apply(scanOf(one, candidate("2", "two", "f2")));
    await turns();
    for (const load of [...rig.loads]) load.succeed();
    await turns();
    await rig.registry.unloadModel("m", new AbortController().signal, "2");
    assert.equal(rig.registry.resolve("m", undefined).version, "1");
    await memory.close();
    assert.equal(JSON.parse(readFileSync(kept, "utf8")).models.m.stable, "2");
  });

  for (const [what, text] of [
    ["cut short", '{"layout":1,"models":{"m":{"stab'],
    ["another layout", '{"layout":2,"models":{}}'],
    ["no version", '{"layout":1,"models":{"m":{"stable":"../1","held_back":{}}}}'],
    ["a verdict without words", '{"layout":1,"models":{"m":{"held_back":{"2":{"fingerprint":"f"}}}}}'],
    [
      "no digest",
      '{"layout":1,"models":{"m":{"held_back":{"2":{"fingerprint":"f","reason":"r","sha256":"x"}}}}}',
    ],
    ["nothing", ""],
    ["a list", "[]"],
  ] as const)
    test(`that cannot be understood (${what}) stops the start, and stays as it is`, async () => {
      writeFileSync(kept, text);
      await assert.rejects(open(), { reason: "unreadable_path", message: /--state-dir: .*delete it/ });
      assert.equal(readFileSync(kept, "utf8"), text);
    });
});
