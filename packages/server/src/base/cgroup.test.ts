import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { readCgroup, usableCores } from "./cgroup.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-cgroup-"));
after(() => rmSync(folder, { recursive: true }));

function root(name: string, files: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name, path)), { recursive: true });
    writeFileSync(join(folder, name, path), text);
  }
  return join(folder, name);
}

test("version 2: a quota of half a processor, throttled periods, and memory that is not cache", () => {
  const at = root("v2", {
    "cpu.max": "50000 100000\n",
    "cpu.stat": "usage_usec 9\nnr_periods 200\nnr_throttled 120\nthrottled_usec 7\n",
    "memory.max": "1000\n",
    "memory.current": "990\n",
    "memory.stat": "anon 3\ninactive_file 40\n",
  });
  assert.deepEqual(readCgroup(at), {
    quotaCores: 0.5,
    quota: { periods: 200, throttled: 120 },
    memory: { used: 950, limit: 1000 },
  });
  assert.equal(usableCores(at), 1);
});

test("version 1, and limits that are none", () => {
  const at = root("v1", {
    "cpu/cpu.cfs_quota_us": "300000\n",
    "cpu/cpu.cfs_period_us": "100000\n",
    "cpu/cpu.stat": "nr_periods 3\nnr_throttled 0\nthrottled_time 0\n",
    "memory/memory.limit_in_bytes": "2000\n",
    "memory/memory.usage_in_bytes": "900\n",
    "memory/memory.stat": "total_inactive_file 100\n",
  });
  assert.deepEqual(readCgroup(at), {
    quotaCores: 3,
    quota: { periods: 3, throttled: 0 },
    memory: { used: 800, limit: 2000 },
  });
  assert.equal(usableCores(at), Math.min(3, availableParallelism()));
  const none = { quotaCores: undefined, memory: undefined };
  const open = root("open", { "cpu.max": "max 100000\n", "memory.max": "max\n", "memory.current": "5\n" });
  assert.deepEqual(readCgroup(open), { ...none, quota: undefined });
  const wide = root("wide", {
    "cpu/cpu.cfs_quota_us": "-1\n",
    "cpu/cpu.cfs_period_us": "100000\n",
    "memory/memory.limit_in_bytes": "9223372036854771712\n",
  });
  assert.deepEqual(readCgroup(wide), { ...none, quota: undefined });
  assert.equal(usableCores(wide), availableParallelism());
});
