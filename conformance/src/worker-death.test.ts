// Tests the built server while its workers are killed.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { argmax, expectedDigits, MODELS_FOLDER, nestedImage } from "./expected-digits.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { until } from "./until.kit.ts";

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
    let asked = 0;
    let isLoading = true;
    const failures: number[] = [];
    const answered = [0, 0, 0, 0];
    const clients = answered.map(async (_, client) => {
      while (isLoading) {
        const { status, isRight } = await predict(asked++);
        if (status !== 200 || !isRight) failures.push(status);
        answered[client]! += 1;
      }
    });
    for (let kill = 0; kill < 3; kill++) {
      // No request meets two kills: one that did would be taken for what kills the workers.
      const before = [...answered];
      await until("every client has been answered twice", () =>
        answered.every((count, client) => count >= before[client]! + 2),
      );
      const workers = childrenOf(server.pid);
      assert.ok(workers.length >= 1, "no worker to kill");
      for (const pid of workers) process.kill(pid, "SIGKILL");
      assert.equal((await predict(kill)).isRight, true, `the answer after kill ${kill}`);
    }
    isLoading = false;
    await Promise.all(clients);
    assert.deepEqual(failures, [], `statuses of wrong answers among ${asked}`);
    assert.doesNotThrow(() => process.kill(server.pid, 0), "the front is gone");
  });

  test("after SIGTERM no child process is left", async () => {
    const children = childrenOf(server.pid);
    assert.ok(children.length >= 1, "no child process to begin with");
    const { code } = await server.stop();
    assert.equal(code, 0, "the exit code");
    for (const pid of children) assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  });
});
