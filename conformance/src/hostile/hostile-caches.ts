import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MODELS_FOLDER } from "../expected-digits.ts";
import { startServerProcess } from "../server-process.ts";
import { DIGITS_BODY } from "./digits-target.ts";

const GIB = 2 ** 30;

/** What becomes of a folder of kept translations between two starts. `each` is done to every file in it. */
const DAMAGES: Readonly<Record<string, (folder: string) => void>> = {
  "cut short": each((path) => truncateSync(path, 100)),
  "all zeros": each((path, bytes) => writeFileSync(path, Buffer.alloc(bytes))),
  "of a GiB": each((path) => truncateSync(path, GIB)),
  "links to a device without an end": each((path) => {
    rmSync(path);
    symlinkSync("/dev/zero", path);
  }),
  "links to themselves": each((path) => {
    rmSync(path);
    symlinkSync(path, path);
  }),
  folders: each((path) => {
    rmSync(path);
    mkdirSync(path);
    writeFileSync(join(path, "file"), "x");
  }),
  "files that everybody may write": each((path) => chmodSync(path, 0o666)),
  "moved into each other's places": (folder) => {
    const [first, second] = readdirSync(folder);
    if (first === undefined || second === undefined) return;
    renameSync(join(folder, first), join(folder, "x"));
    renameSync(join(folder, second), join(folder, first));
    renameSync(join(folder, "x"), join(folder, second));
  },
  "in a folder that everybody may write": (folder) => chmodSync(folder, 0o777),
  "in a folder that is a link": (folder) => {
    renameSync(folder, `${folder}-moved`);
    symlinkSync(`${folder}-moved`, folder);
  },
  "in a folder that is a file": (folder) => {
    rmSync(folder, { recursive: true });
    writeFileSync(folder, "");
  },
};

function each(harm: (path: string, bytes: number) => void): (folder: string) => void {
  return (folder) => {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      harm(path, lstatSync(path).size);
    }
  };
}

/** Starts servers on what is left of the translations that another one kept, and two at once on none; what is not as it must be. */
export async function serveFromHostileCaches(): Promise<string[]> {
  const root = mkdtempSync(join(tmpdir(), "hostile-caches-"));
  const [whole, damaged] = [join(root, "whole"), join(root, "damaged")];
  const problems: string[] = [];
  try {
    const right = await answerFrom(whole);
    for (const [what, harm] of Object.entries(DAMAGES)) {
      for (const old of [damaged, `${damaged}-moved`]) rmSync(old, { recursive: true, force: true });
      cpSync(whole, damaged, { recursive: true });
      chmodSync(damaged, 0o700);
      harm(damaged);
      const found = await answerFrom(damaged).catch(String);
      if (found !== right) problems.push(`${what}: ${found.slice(0, 300)}`);
    }
    const empty = join(root, "empty");
    const both = await Promise.all([answerFrom(empty), answerFrom(empty)].map((one) => one.catch(String)));
    if (both.some((found) => found !== right))
      problems.push(`two servers at once: ${both.join(" | ").slice(0, 300)}`);
  } finally {
    rmSync(root, { recursive: true });
  }
  return problems;
}

async function answerFrom(folder: string): Promise<string> {
  const server = await startServerProcess([MODELS_FOLDER, "--log-level", "error"], {
    env: { SCONCE_TRANSLATION_CACHE: folder },
  });
  try {
    const response = await fetch(`${server.url}/v2/models/digits/infer`, {
      method: "POST",
      body: DIGITS_BODY,
    });
    return `${response.status} ${await response.text()}`;
  } finally {
    await server.stop();
  }
}
