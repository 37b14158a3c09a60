import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  closeSync,
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
import { basename, join } from "node:path";
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
    assertIgnored(made);
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

  test("a file that goes with an entry comes in by name, is its owner's alone, and goes with it", () => {
    const { folder, cache } = filled();
    const work = cache.workFolder("key")!;
    assert.equal(statSync(work).mode & 0o777, 0o700);
    writeFileSync(join(work, "made"), "weights", { mode: 0o644 });
    const attached = cache.attach("key", join(work, "made"))!;
    closeSync(attached.fd);
    assert.equal(basename(attached.path), cache.attachmentName("key"));
    assert.deepEqual(
      [readFileSync(attached.path, "utf8"), statSync(attached.path).mode & 0o777],
      ["weights", 0o600],
    );
    assert.equal(cache.attachment("other"), undefined);
    cache.remove("key");
    assert.equal(cache.attachment("key"), undefined);
    assert.equal(cache.read("key"), undefined);
    assert.deepEqual(readdirSync(folder), [basename(work)]);
  });

  test("a file that goes with an entry is no link, not another's, and nothing that others may write", () => {
    const spoil: ((path: string) => void)[] = [
      (path) => chmodSync(path, 0o660),
      (path) => linkSync(path, join(root, "second name")),
      (path) => {
        renameSync(path, join(root, "elsewhere"));
        symlinkSync(join(root, "elsewhere"), path);
      },
      (path) => chmodSync(join(path, ".."), 0o770),
      ...(IS_ROOT ? [(path: string) => chownSync(path, 1, 1)] : []),
    ];
    for (const change of spoil) {
      const { folder, cache } = filled();
      const made = join(root, "made");
      writeFileSync(made, "weights");
      closeSync(cache.attach("key", made)!.fd);
      change(join(folder, cache.attachmentName("key")));
      assert.equal(cache.attachment("key"), undefined);
    }
  });

  test("counts what goes with an entry, which is as old as its entry", () => {
    const { folder, cache } = place(4 * 1024);
    const attach = (key: string, bytes: number): boolean => {
      const made = join(root, "made");
      writeFileSync(made, Buffer.alloc(bytes));
      const file = cache.attach(key, made);
      if (file !== undefined) closeSync(file.fd);
      return file !== undefined && cache.write(key, [VALUE]);
    };
    assert.equal(attach("old", 1500), true);
    utimesSync(join(folder, nameOf("old")), 1e9, 1e9);
    assert.equal(attach("used", 1500), true);
    assert.ok(cache.read("old"), "and so it was used last");
    utimesSync(join(folder, nameOf("used")), 1e9, 1e9);
    assert.equal(attach("new", 1500), true);
    const present = ["old", "used", "new"].map((key) => cache.read(key) !== undefined);
    assert.deepEqual(present, [true, false, true]);
    assert.equal(existsSync(join(folder, cache.attachmentName("used"))), false);
    assert.equal(attach("huge", 5000), false);
    assert.ok(sizeOf(folder) <= 4 * 1024);
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
