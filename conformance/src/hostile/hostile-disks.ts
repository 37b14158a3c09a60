import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mountSmallDisk, type SmallDisk } from "../chaos/small-disk.ts";
import { MODELS_FOLDER } from "../expected-digits.ts";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import { DIGITS_BODY } from "./digits-target.ts";

const TOKEN = "the-administrators-token";
const DISK_BYTES = 2 * 1024 * 1024;
/** More than a kept translation takes, and less than it takes with its optimised graph. */
const LITTLE_BYTES = 24_000;
const RECORDED = 50;

type Harm = (disk: SmallDisk, folder: string) => void;

const full: Harm = (disk) => {
  disk.free();
  disk.leave(0);
};
const gone: Harm = (_disk, folder) => rmSync(folder, { recursive: true, force: true });

/** What becomes of the disk with the folder of kept translations while the server uses it. */
const HARMS: Readonly<Record<string, Harm>> = {
  full,
  "full, and the folder deleted": (disk, folder) => {
    gone(disk, folder);
    full(disk, folder);
  },
  "nearly full": (disk, folder) => {
    gone(disk, folder);
    disk.free();
    disk.leave(LITTLE_BYTES);
  },
  "free, and the folder deleted": (disk, folder) => {
    disk.free();
    gone(disk, folder);
  },
  "a file in place of the folder": (disk, folder) => {
    gone(disk, folder);
    writeFileSync(folder, "");
  },
  "read-only, without the folder": (disk, folder) => {
    gone(disk, folder);
    remount(disk, "ro");
  },
};

function remount(disk: SmallDisk, how: "ro" | "rw"): void {
  execFileSync("mount", ["-o", `remount,${how}`, disk.path], { stdio: "pipe" });
}

/** Serves while the disks of what it keeps are full, read-only or gone: translations, and recorded requests. What is not as it must be. */
export async function serveOnHostileDisks(): Promise<string[]> {
  const root = mkdtempSync(join(tmpdir(), "hostile-disks-"));
  const [caches, records] = ["caches", "records"].map((name) => mountSmallDisk(join(root, name), DISK_BYTES));
  const problems: string[] = [];
  try {
    // Without a disk of its own there is nothing to fill.
    if (typeof caches === "string" || typeof records === "string") return [];
    full(caches!, "");
    full(records!, "");
    await serve([caches!, records!], "full from the start", problems, async () => {});
    for (const disk of [caches!, records!]) disk.free();
    await serve([caches!, records!], "free", problems, async (server) => {
      for (const [name, harm] of Object.entries(HARMS)) {
        harm(caches!, join(caches!.path, "kept"));
        full(records!, "");
        await check(server, name, problems);
      }
    });
    remount(caches!, "rw");
  } finally {
    for (const disk of [caches, records]) if (typeof disk === "object") disk.unmount();
    rmSync(root, { recursive: true, force: true });
  }
  return problems;
}

async function serve(
  [caches, records]: readonly [SmallDisk, SmallDisk],
  name: string,
  problems: string[],
  act: (server: ServerProcess) => Promise<void>,
): Promise<void> {
  const record = join(records.path, "record.jsonl");
  const server = await startServerProcess(
    [MODELS_FOLDER, "--model-control=explicit", "--load-models=digits", `--record=${record}`],
    {
      env: {
        SCONCE_TRANSLATION_CACHE: join(caches.path, "kept"),
        SCONCE_ADMIN_TOKEN: TOKEN,
        // Requests are recorded by one process only.
        SCONCE_EDGES: "1",
      },
    },
  );
  try {
    await check(server, name, problems);
    await act(server);
  } finally {
    const { code } = await server.stop();
    if (code !== 0) problems.push(`${name}: SIGTERM ended it with ${code}`);
    if (/\n {4}at /.test(server.output()))
      problems.push(`${name}: a stack is in the log: ${server.output()}`);
    if (!existsSync(record)) problems.push(`${name}: there is no record`);
  }
}

/** Unloads and loads again, and asks before and after, more often than there is room to record. */
async function check(server: ServerProcess, name: string, problems: string[]): Promise<void> {
  const post = async (path: string, body: string): Promise<number> => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${TOKEN}` };
    const response = await fetch(server.url + path, { method: "POST", body, headers });
    await response.arrayBuffer();
    return response.status;
  };
  const ask = (): Promise<number> => post("/v2/models/digits/infer", DIGITS_BODY);
  const statuses = [
    await post("/v2/repository/models/digits/unload", "{}"),
    await post("/v2/repository/models/digits/load", "{}"),
    ...(await Promise.all(Array.from({ length: RECORDED / 10 }, ask))),
  ];
  for (let i = 0; i < RECORDED; i++) statuses.push(await ask());
  const wrong = statuses.filter((status) => status !== 200);
  if (wrong.length > 0) problems.push(`${name}: answered with ${wrong.slice(0, 9).join(", ")}`);
}
