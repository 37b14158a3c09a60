import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { DiskCache } from "./disk-cache.ts";

const root = mkdtempSync(join(tmpdir(), "sconce-disk-cache-"));
after(() => rmSync(root, { recursive: true }));
const MANY_BYTES = 1024 * 1024;
const VALUE = Buffer.from("what can be made again");
const IS_ROOT = process.geteuid?.() === 0;
let folders = 0;

interface Place {
  readonly folder: string;
  readonly cache: DiskCache;
  /** Of the only entry. */
  path(): string;
}

function place(maxBytes = MANY_BYTES): Place {
  const folder = join(root, `${folders++}`, "made", "on demand");
  const path = (): string => {
    const [name, ...others] = readdirSync(folder);
    assert.deepEqual(others, []);
    return join(folder, name!);
  };
  return { folder, cache: new DiskCache({ folder, maxBytes }), path };
}

function filled(maxBytes?: number): Place {
  const made = place(maxBytes);
  assert.equal(made.cache.write("key", [VALUE.subarray(0, 5), VALUE.subarray(5)]), true);
  assert.deepEqual(made.cache.read("key"), VALUE);
  return made;
}

/** Such an entry is not read, and one that is written in its place is. */
function assertIgnored({ cache }: Place): void {
  assert.equal(cache.read("key"), undefined);
  assert.equal(cache.write("key", [VALUE]), true);
  assert.deepEqual(cache.read("key"), VALUE);
}

describe("DiskCache", () => {
  test("gives back what was written under a key, also to another process, and nothing under any other", () => {
    const { folder, cache } = filled();
    assert.deepEqual(new DiskCache({ folder, maxBytes: MANY_BYTES }).read("key"), VALUE);
    assert.equal(cache.read("kex"), undefined);
    assert.equal(cache.read(""), undefined);
    cache.write("key", [Buffer.from("newer")]);
    assert.deepEqual(cache.read("key"), Buffer.from("newer"));
    cache.write("nothing", []);
    assert.deepEqual(cache.read("nothing"), Buffer.alloc(0));
  });

  test("makes its folder and its files for their owner alone", () => {
    const { folder, path } = filled();
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    assert.equal(statSync(path()).mode & 0o777, 0o600);
  });

  test("an entry with any byte changed, cut short or with something after it is ignored, removed and replaced", () => {
    const made = filled();
    const whole = readFileSync(made.path());
    const damaged = [...whole.keys()].map((at) => {
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 1 << (at % 8);
      return bytes;
    });
    const cut = [0, 1, 20, whole.length - 1].map((length) => whole.subarray(0, length));
    for (const bytes of [...damaged, ...cut, Buffer.concat([whole, Buffer.from("!")])]) {
      writeFileSync(made.path(), bytes);
      assert.equal(made.cache.read("key"), undefined);
      assert.deepEqual(readdirSync(made.folder), []);
      made.cache.write("key", [VALUE]);
    }
    assert.deepEqual(made.cache.read("key"), VALUE);
  });

  test("an entry that was given another entry's name is ignored", () => {
    const made = filled();
    const mine = made.path();
    made.cache.write("other", [Buffer.from("not yours")]);
    const other = readdirSync(made.folder).find((name) => !mine.endsWith(name))!;
    renameSync(join(made.folder, other), mine);
    assertIgnored(made);
  });

  test("a link in an entry's place is not followed, be it symbolic or hard", () => {
    for (const link of [symlinkSync, linkSync]) {
      const made = filled();
      const elsewhere = join(root, `elsewhere-${link.name}`);
      renameSync(made.path(), elsewhere);
      link(elsewhere, join(made.folder, nameOf("key")));
      assertIgnored(made);
      assert.ok(existsSync(elsewhere));
    }
  });

  test("an entry that others may write is ignored", () => {
    for (const mode of [0o620, 0o602]) {
      const made = filled();
      chmodSync(made.path(), mode);
      assertIgnored(made);
    }
  });

  test("an entry of another user is ignored", { skip: !IS_ROOT && "only root can make one" }, () => {
    const made = filled();
    chownSync(made.path(), 1, 1);
    assertIgnored(made);
  });

  test("nothing is read from or written to a folder that others may write, that is another user's, or that is a link", () => {
    const spoil: ((folder: string) => void)[] = [
      (folder) => chmodSync(folder, 0o770),
      (folder) => chmodSync(folder, 0o707),
      (folder) => {
        renameSync(folder, `${folder} moved`);
        symlinkSync(`${folder} moved`, folder);
      },
      ...(IS_ROOT ? [(folder: string) => chownSync(folder, 1, 1)] : []),
    ];
    for (const change of spoil) {
      const { folder, cache } = filled();
      assert.equal(cache.fault(), undefined);
      change(folder);
      assert.match(cache.fault() ?? "", /other users|another user|no folder/);
      assert.equal(cache.read("key"), undefined);
      const before = readdirSync(folder);
      assert.equal(cache.write("second", [VALUE]), false);
      assert.deepEqual(readdirSync(folder), before);
    }
  });

  test("a file in the folder's place is a fault, and no exception", () => {
    const { folder, cache } = place();
    mkdirSync(join(folder, ".."), { recursive: true });
    writeFileSync(folder, "");
    assert.match(cache.fault() ?? "", /EEXIST|no folder/);
    assert.equal(cache.read("key"), undefined);
    assert.equal(cache.write("key", [VALUE]), false);
    const below = new DiskCache({ folder: join(folder, "below"), maxBytes: MANY_BYTES });
    assert.match(below.fault() ?? "", /ENOTDIR/);
    assert.equal(below.read("key"), undefined);
  });

  test("a folder in an entry's place is ignored", () => {
    const made = filled();
    const path = made.path();
    rmSync(path);
    mkdirSync(path);
    assert.equal(made.cache.read("key"), undefined);
    assert.equal(made.cache.write("key", [VALUE]), false);
    assert.deepEqual(readdirSync(made.folder).length, 1);
  });

  test("stays within its size: what was used least recently goes first, and what is too large does not come in", () => {
    const { folder, cache } = place(4 * 1024);
    const kilobyte = [Buffer.alloc(900)];
    for (const [age, key] of ["a", "b", "c"].entries()) {
      cache.write(key, kilobyte);
      const past = new Date(1e12 + 1000 * age);
      utimesSync(join(folder, nameOf(key)), past, past);
    }
    assert.ok(cache.read("a"), "and so it was used after b and c");
    for (const key of ["d", "e"]) assert.equal(cache.write(key, kilobyte), true);
    assert.deepEqual(
      ["a", "b", "c", "d", "e"].map((key) => cache.read(key) !== undefined),
      [true, false, true, true, true],
    );
    assert.ok(sizeOf(folder) <= 4 * 1024);
    assert.equal(cache.write("huge", [Buffer.alloc(4 * 1024)]), false);
    assert.ok(cache.read("a"));
  });

  test("what a writer that died left is removed after an hour, and files of other names never", () => {
    const { folder, cache } = filled(MANY_BYTES);
    const unfinished = ["1", "2"].map((digit) => `${digit.repeat(64)}.${digit.repeat(16)}.tmp`);
    const others = ["notes.txt", `${"3".repeat(64)}.tmp`];
    for (const name of [...unfinished, ...others]) writeFileSync(join(folder, name), "");
    for (const name of [unfinished[0]!, ...others]) utimesSync(join(folder, name), 1e9, 1e9);
    cache.write("next", [VALUE]);
    const left = readdirSync(folder);
    assert.deepEqual(
      [...unfinished, ...others].map((name) => left.includes(name)),
      [false, true, true, true],
    );
  });
});

/** What a cache calls an entry. */
function nameOf(key: string): string {
  const folder = mkdtempSync(join(root, "probe-"));
  new DiskCache({ folder, maxBytes: MANY_BYTES }).write(key, [VALUE]);
  return readdirSync(folder)[0]!;
}

function sizeOf(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + lstatSync(join(folder, name)).size, 0);
}
