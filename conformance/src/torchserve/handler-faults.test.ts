import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { requirePython } from "../python.ts";
import { handlerFaults } from "./handler-faults.ts";

/** The server's own words of some faults; a flood of output would be millions. */
const MAX_LOGGED_BYTES = 1_000_000;

test("handlers that end, hang, fill memory, print, start threads and fork hurt no other model", {
  timeout: 600_000,
}, async (t) => {
  const python = requirePython(t);
  if (python === undefined) return;
  const home = mkdtempSync(join(tmpdir(), "sconce-faults-"));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const { hurt, asked, lost, left, loggedBytes } = await handlerFaults(python, { home, rounds: 1 });
  assert.ok(asked > 0);
  assert.deepEqual({ hurt, lost, left }, { hurt: 0, lost: [], left: 0 });
  assert.ok(loggedBytes < MAX_LOGGED_BYTES, `${loggedBytes} bytes were logged`);
});
