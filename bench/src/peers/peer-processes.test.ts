import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { PeerProcesses } from "./peer-processes.ts";

const skip = existsSync("/proc/self/stat") ? false : "the processes of a server are found in /proc";

const SERVER = "sleep 600 & echo $!; wait";
/** A benchmark with one server, which says the pid of what it has started. */
const BENCHMARK = `
import { spawn } from "node:child_process";
import { PeerProcesses } from ${JSON.stringify(new URL("peer-processes.js", import.meta.url))};
const processes = new PeerProcesses();
const server = spawn("sh", ["-c", "${SERVER}"], { stdio: ["ignore", "inherit", "ignore"] });
processes.watch(server, undefined);
`;

test("a server ends with all that it has started, and its folder goes", { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-peer-test-"));
  const server = spawn("sh", ["-c", SERVER], { stdio: ["ignore", "pipe", "ignore"] });
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
  const benchmark = spawn(process.execPath, ["--input-type=module", "--eval", BENCHMARK], {
    stdio: ["ignore", "pipe", "inherit"],
  });
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
