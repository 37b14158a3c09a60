// What scripts need and no clone should make again: it lies in the user's cache folder, and only one run makes it.
import { spawn } from "node:child_process";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const LOCK_STALE_MS = 30 * 60_000;

/** The folder for everything that is made once per user: environments, Node versions, full fixture sets. */
export function cacheFolder() {
  const root =
    process.env.XDG_CACHE_HOME ??
    (process.platform === "win32" ? process.env.LOCALAPPDATA : undefined) ??
    join(homedir(), ".cache");
  return resolve(root, "sconce");
}

/** Runs to the end in silence; resolves to the reason of a failure. */
export function runQuietly(command, args) {
  return new Promise((done) => {
    const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text) => {
      errors = (errors + text).slice(-10_000);
    });
    child.once("error", (error) => done(error.message));
    child.once("close", (code) => {
      const last = errors
        .match(/^(?:ERROR: |E: |npm error ).*$/gm)
        ?.at(-1)
        ?.replace(/^(?:ERROR: |E: |npm error )/, "");
      done(code === 0 ? undefined : (last ?? `${basename(command)} ended with code ${code}`));
    });
  });
}

function isHeld(lock) {
  try {
    if (Date.now() - statSync(lock).mtimeMs > LOCK_STALE_MS) return false;
    process.kill(Number(readFileSync(lock, "utf8")), 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/**
 * Waits while another run makes the same thing. The lock only saves double work: whatever is made under it is built in a folder of its
 * own and renamed, so that two holders (after a stale lock) do no harm.
 */
export async function locked(lock, work) {
  for (let waited = 0; ; waited += 1) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (!isHeld(lock)) rmSync(lock, { force: true });
    else if (waited % 60 === 0)
      console.error(`another run is making ${basename(lock, ".lock")}; waiting for it`);
    await sleep(500);
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}
