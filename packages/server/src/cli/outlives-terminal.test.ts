import assert from "node:assert/strict";
import { test } from "node:test";
import { outlivesTerminal, type StartFacts } from "./outlives-terminal.ts";

const AT_A_TERMINAL: StartFacts = {
  command: "/usr/bin/sconce",
  outputs: ["/dev/pts/3", "/dev/pts/3"],
  hasTerminal: true,
  usesTerminal: true,
};

test("nohup, and a process in the background that left its terminal, outlive it; others do not", () => {
  const cases: readonly (readonly [string, Partial<StartFacts>, boolean])[] = [
    ["at a terminal", {}, false],
    ["into a pipe", { outputs: ["pipe:[1]", "/dev/pts/3"] }, false],
    ["nohup with its own log", { command: "/usr/bin/nohup", outputs: ["/var/log/a", "/var/log/a"] }, true],
    ["nohup from a shell that does not say so", { command: undefined, outputs: ["/root/nohup.out"] }, true],
    ["all streams redirected", { outputs: ["/var/log/a", "/var/log/a"], usesTerminal: false }, true],
    [
      "under a supervisor",
      { outputs: ["pipe:[1]", "pipe:[2]"], hasTerminal: false, usesTerminal: false },
      false,
    ],
  ];
  for (const [what, facts, expected] of cases) {
    assert.equal(outlivesTerminal({ ...AT_A_TERMINAL, ...facts }), expected, what);
  }
});
