// Tests the built server while its workers are killed.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { argmax, expectedDigits, MODELS_FOLDER, nestedImage } from "./expected-digits.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

const { digits } = expectedDigits();

/** Processes whose parent is `pid`. */
function childrenOf(pid: number): number[] {
  const table = execFileSync("ps", ["-eo", "pid=,ppid="], { encoding: "utf8" });
  return table
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, parent]) => parent === pid)
    .map(([child]) => child!);
}

describe("kill -9 of workers under load", () => {
  let server: ServerProcess;
  before(async () => {
    server = await startServerProcess([MODELS_FOLDER]);
  });
  after(() => server?.stop());

  async function predict(index: number): Promise<{ readonly status: number; readonly isRight: boolean }> {
    const digit = digits[index % digits.length]!;
    const answer = await fetch(`${server.url}/predict/digits`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ input: nestedImage(digit) }),
    });
    const { prediction } = (await answer.json()) as { prediction?: number[] };
    const isRight = prediction !== undefined && argmax(prediction) === argmax(digit.probabilities);
    return { status: answer.status, isRight };
  }

  test("every request is answered, the front never restarts, and no worker is left behind", async () => {
    const RECOVERY_LIMIT_MS = 3000;
    let asked = 0;
    let isLoading = true;
    const failures: number[] = [];
    const lane = async (): Promise<void> => {
      while (isLoading) {
        const { status, isRight } = await predict(asked++);
        if (status !== 200 || !isRight) failures.push(status);
      }
    };
    const lanes = Array.from({ length: 4 }, lane);
    for (let kill = 0; kill < 3; kill++) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      const before = childrenOf(server.pid);
      assert.ok(before.length >= 1);
      for (const pid of before) process.kill(pid, "SIGKILL");
      const startedMs = performance.now();
      assert.equal((await predict(kill)).isRight, true);
      const recoveredMs = performance.now() - startedMs;
      assert.ok(recoveredMs < RECOVERY_LIMIT_MS, `answered again after ${recoveredMs} ms`);
    }
    isLoading = false;
    await Promise.all(lanes);
    assert.deepEqual(failures, []);
    assert.ok(asked > 50);
    assert.doesNotThrow(() => process.kill(server.pid, 0));
  });

  test("after SIGTERM no child process is left", async () => {
    const children = childrenOf(server.pid);
    assert.ok(children.length >= 1);
    const { code } = await server.stop();
    assert.equal(code, 0);
    for (const pid of children) assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  });
});
