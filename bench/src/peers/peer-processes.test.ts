import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { PeerProcesses } from "./peer-processes.ts";

const skip = existsSync("/proc/self/stat") ? false : "the processes of a server are found in /proc";

test("a server ends with all that it has started, and its folder goes", { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-peer-test-"));
  const server = spawn("sh", ["-c", "sleep 600 & echo $!; wait"], { stdio: ["ignore", "pipe", "ignore"] });
  const processes = new PeerProcesses();
  const stop = processes.watch(server, folder);
  const [line] = await once(server.stdout, "data");
  await stop();
  processes.close();
  await gone(Number(line));
  assert.equal(existsSync(folder), false);
  await stop();
});

test("Ctrl-C leaves nothing of a benchmark's servers", { skip }, async () => {
  const kit = fileURLToPath(new URL("peer-processes.kit.js", import.meta.url));
  const benchmark = spawn(process.execPath, [kit], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(benchmark.stdout, "data");
  benchmark.kill("SIGINT");
  await once(benchmark, "exit");
  assert.equal(benchmark.exitCode, 130);
  await gone(Number(line));
});

/** Waits until a process has ended, whether or not somebody has fetched its exit code. */
async function gone(pid: number): Promise<void> {
  for (let look = 0; look < 3000 && runs(pid); look++) await sleep(10);
  assert.equal(runs(pid), false, `process ${pid} still runs`);
}

function runs(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
