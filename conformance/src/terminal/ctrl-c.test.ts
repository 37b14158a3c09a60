// Tests Ctrl-C at a terminal: a server says what it waits for, goes on saying it, and a second one ends it at once.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, type TestContext, test } from "node:test";
import { MODELS_FOLDER } from "../expected-digits.ts";
import { type HeldRequest, heldRequest } from "../held-request.kit.ts";
import { until } from "../until.kit.ts";
import { BIN, noTerminal, type OnTerminal, onTerminal, screen } from "./terminal.kit.ts";

const CTRL_C = "\x03";
const folder = mkdtempSync(join(tmpdir(), "ctrl-c-"));
after(() => rmSync(folder, { recursive: true }));

/** A server at a terminal that has a request in flight. */
async function busyServer(t: TestContext): Promise<{ terminal: OnTerminal; held: HeldRequest }> {
  const line = `exec ${process.execPath} ${BIN} serve ${MODELS_FOLDER} --port 0`;
  const terminal = onTerminal(line, { cwd: folder, columns: 80 });
  t.after(() => terminal.close());
  await terminal.sees(/digits +1 +READY/);
  const held = await heldRequest(/listens on (\S+)/.exec(terminal.shown())![1]!);
  return { terminal, held };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("Ctrl-C", { skip: noTerminal }, () => {
  test("says what is waited for until it is done", { timeout: 120_000 }, async (t) => {
    const { terminal, held } = await busyServer(t);
    terminal.type(CTRL_C);
    await terminal.sees(
      /\^C\s+Stopping: 1 request in flight finishes, within 30 s; then the models'\s+workers\s+end\. Ctrl-C again ends all at once\./,
    );
    await terminal.sees(/waiting for 1 request in flight; Ctrl-C again ends all at once/);
    // On a machine that was busy for seconds its body came too slowly.
    assert.ok([200, 408].includes(await held.finish()), "it is answered");
    assert.equal(await terminal.ended(), 0);
  });

  test("a second one ends at once what is in flight, and no worker stays behind", {
    timeout: 120_000,
  }, async (t) => {
    const { terminal, held } = await busyServer(t);
    terminal.type(CTRL_C);
    await terminal.sees(/Stopping: 1 request in flight/);
    // A first and a second one within half a second are one wish, which npm passed on.
    const again = setInterval(() => terminal.type(CTRL_C), 100);
    const code = await terminal.ended().finally(() => clearInterval(again));
    assert.equal(code, 130, "128 and SIGINT's number");
    assert.equal(await held.finish(), -1, "nobody answers any more");
    const worker = Number(/ pid=(\d+)/.exec(screen(terminal.shown()))![1]);
    await until("the model's worker is gone", () => !isAlive(worker));
  });
});
