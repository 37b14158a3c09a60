// Model folders on disk, as small as they can be while every reader tells them apart.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { after } from "node:test";
import { systemClock } from "../base/clock.ts";
import { createYamlReader } from "../config/yaml-reader.ts";
import { type FileSystem, nodeFileSystem } from "./file-system.ts";
import type { ModelCandidate, ScanResult } from "./model-candidate.ts";
import { createRepository, type RepositoryPath } from "./repository.ts";

/** Everything lies below this folder, which goes away after the tests. */
export const base: string = mkdtempSync(join(tmpdir(), "sconce-repository-"));
after(() => rmSync(base, { recursive: true, force: true }));
let folders = 0;

/** A zip that only has names: enough to be told apart. */
export function zip(...names: readonly string[]): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const name of names) {
    const local = Buffer.alloc(30 + name.length);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    local.write(name, 30);
    const entry = Buffer.alloc(46 + name.length);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(offset, 42);
    entry.write(name, 46);
    locals.push(local);
    central.push(entry);
    offset += local.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(names.length, 8);
  end.writeUInt16LE(names.length, 10);
  end.writeUInt32LE(Buffer.concat(central).length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, ...central, end]);
}

export const PT2: Buffer = zip(
  "digits/models/model.json",
  "digits/data/weights/weight_0",
  "digits/archive_format",
);
export const FLAT_PT2: Buffer = zip("serialized_exported_program.json", "version");
export const SCRIPT: Buffer = zip("net/data.pkl", "net/code/__torch__.py", "net/constants.pkl");
export const CHECKPOINT: Buffer = zip("net/data.pkl", "net/data/0", "net/version");
export const MAR: Buffer = zip("MAR-INF/MANIFEST.json", "model.pt");
export const ONNX: Buffer = Buffer.from([0x08, 0x0b, 0x12, 0x02, 0x70, 0x74, 0x3a, 0x00]);
export const SAFETENSORS: Buffer = Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from("{}")]);
export const PICKLE: Buffer = Buffer.from([0x80, 0x02, 0x8a, 0x0a, 0x6c]);

export function tree(files: Readonly<Record<string, Buffer | string>>): string {
  const root = join(base, `tree-${folders++}`);
  mkdirSync(root);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (path.endsWith("/")) mkdirSync(join(root, path), { recursive: true });
    else writeFileSync(join(root, path), content);
  }
  return root;
}

export async function scan(
  paths: readonly (string | RepositoryPath)[],
  fileSystem: FileSystem = nodeFileSystem,
): Promise<ScanResult> {
  const list = paths.map((path) => (typeof path === "string" ? { path } : path));
  return createRepository({ paths: list, fileSystem, yaml: createYamlReader({ clock: systemClock }) }).scan();
}

export function line(candidate: ModelCandidate): string {
  const what =
    candidate.problem === undefined ? basename(candidate.file) : `! ${candidate.problem.split(":")[0]}`;
  return `${candidate.name}/${candidate.version} ${candidate.format} ${what}`;
}

export async function lines(...paths: readonly (string | RepositoryPath)[]): Promise<string[]> {
  return (await scan(paths)).candidates.map(line);
}
