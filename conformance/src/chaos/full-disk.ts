import { mkdirSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { startChaosServer } from "./chaos-server.ts";
import { DIGITS_FILES } from "./digits-files.ts";
import { askDigits, startDigitsProbe } from "./digits-probe.ts";
import { FAULT_PLAN_VARIABLE } from "./fault-plan.ts";
import type { ModelFiles } from "./model-folder.ts";
import { until } from "./monotonic.ts";
import type { Rig } from "./procedure.ts";
import { type IndexLine, repositoryIndex, UNHELPFUL } from "./repository-client.ts";
import { copyInto, mountSmallDisk, remove, roomOf, type SmallDisk } from "./small-disk.ts";

const DISK_BYTES = 640 * 1024;
const MODEL = "digits";
const PATIENCE_MS = 30_000;

/** What a disk that was too small for a new version did to the server. */
export interface FullDiskResult {
  readonly copies: number;
  /** What was not as it should be. */
  readonly problems: readonly string[];
  readonly answers: number;
  /** Requests, in words. */
  readonly failed: string;
}

/**
 * Publishes new versions by copying them to a disk with too little room, and then again with enough; a polling server serves from it, and
 * has its folder for temporary files there. `rooms`: what is free for each copy, as a share of its size. A string says why there is no such
 * disk here.
 */
export async function fillDisk(rig: Rig, rooms: readonly number[]): Promise<FullDiskResult | string> {
  const disk = mountSmallDisk(join(dirname(rig.folder.path), "disk"), DISK_BYTES);
  if (typeof disk === "string") return disk;
  try {
    return await fill(disk, rig, rooms);
  } finally {
    disk.unmount();
  }
}

async function fill(disk: SmallDisk, rig: Rig, rooms: readonly number[]): Promise<FullDiskResult> {
  const models = join(disk.path, "models");
  const temporary = join(disk.path, "temporary");
  mkdirSync(temporary);
  const kinds = Object.values(DIGITS_FILES);
  copyInto(join(models, MODEL, "1"), kinds[0]!);
  const flags = ["--model-control=poll", "--poll-interval=100ms", "--spare-workers=2"];
  const server = await startChaosServer(models, flags, {
    runtime: "onnx",
    env: { TMPDIR: temporary, [FAULT_PLAN_VARIABLE]: rig.folder.faultPlan },
  });
  const problems: string[] = [];
  const probe = startDigitsProbe(server.url, MODEL);
  try {
    for (const [index, room] of rooms.entries()) {
      const files = kinds[index % kinds.length]!;
      problems.push(
        ...(await copyTwice({ disk, models, url: server.url, version: index + 2, files, room })),
        ...readdirSync(temporary).map((name) => `the server left ${name}`),
      );
    }
    return { copies: rooms.length, problems, answers: probe.answers, failed: await probe.stop() };
  } finally {
    await probe.stop();
    await server.stop();
  }
}

interface Copy {
  readonly disk: SmallDisk;
  readonly models: string;
  readonly url: string;
  readonly version: number;
  readonly files: ModelFiles;
  readonly room: number;
}

/** Too little room, then enough: the version before serves until all of the new one is there. */
async function copyTwice({ disk, models, url, version, files, room }: Copy): Promise<string[]> {
  const problems: string[] = [];
  const folder = join(models, MODEL, String(version));
  disk.leave(room * roomOf(files));
  if (copyInto(folder, files)) problems.push("all of it fit");
  const line = await judged(url, version);
  // The files that fit may be a whole model, such as a program without the weights that were to replace its own.
  if (line === undefined) problems.push("the index did not say a word");
  else if (line.state !== "READY" && UNHELPFUL.test(line.reason)) problems.push(`the index: ${line.reason}`);
  disk.free();
  copyInto(folder, files);
  const serves = await until(
    async () =>
      (await askDigits(url, MODEL)).version === version && (await judged(url, version))?.reason === "",
    { withinMs: PATIENCE_MS, everyMs: 20 },
  );
  if (!serves) problems.push(`not served with enough room: ${JSON.stringify(await repositoryIndex(url))}`);
  remove(join(models, MODEL, String(version - 1)));
  // The version before holds its files open until its last worker has ended.
  const isFreed = await until(() => disk.unaccountedBytes() === 0, { withinMs: PATIENCE_MS, everyMs: 20 });
  if (!isFreed) problems.push(`${disk.unaccountedBytes()} bytes of the disk belong to no file`);
  return problems.map(
    (problem) => `version ${version}, ${Object.keys(files).join(" + ")}, ${room}: ${problem}`,
  );
}

/** What the index says of a version once it is done with it. */
async function judged(url: string, version: number): Promise<IndexLine | undefined> {
  let line: IndexLine | undefined;
  await until(
    async () => {
      line = (await repositoryIndex(url)).find((entry) => entry.version === String(version));
      return line !== undefined && line.state !== "LOADING" && line.reason !== "not loaded yet";
    },
    { withinMs: PATIENCE_MS, everyMs: 20 },
  );
  return line;
}
