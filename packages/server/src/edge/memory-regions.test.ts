import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createMemoryRegions, type MemoryRegions } from "./memory-regions.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-regions-"));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string): string => join(folder, name);

/** A registry with the region `r`: the bytes 4 to 12 of a file of 16. */
function open(name: string): MemoryRegions {
  writeFileSync(
    file(name),
    Uint8Array.from({ length: 16 }, (_, i) => i),
  );
  const regions = createMemoryRegions({ folder });
  regions.register({ name: "r", key: `/${name}`, offset: 4n, byteSize: 8n });
  return regions;
}

function finish(steps: { step(amount: number): boolean }): void {
  while (!steps.step(1));
}

const place = (offset: bigint, byteSize: bigint) => ({ region: "r", offset, byteSize });

test("places are read and written inside their region, whatever else the file holds", () => {
  const regions = open("plain");
  const into = new Uint8Array(3);
  finish(regions.reading(place(2n, 3n), into));
  assert.deepEqual([...into], [6, 7, 8]);
  finish(regions.writing(place(6n, 2n), Uint8Array.of(90, 91)));
  finish(regions.writing(place(0n, 8n), Uint8Array.of(99)));
  assert.deepEqual([...readFileSync(file("plain"))], [0, 1, 2, 3, 99, 5, 6, 7, 8, 9, 90, 91, 12, 13, 14, 15]);
  finish(regions.reading(place(8n, 0n), new Uint8Array(0)));
});

test("a large place is read in steps, and all of it", () => {
  const bytes = Uint8Array.from({ length: 1_000_003 }, (_, i) => (i * 7) & 255);
  writeFileSync(file("large"), bytes);
  const regions = createMemoryRegions({ folder });
  regions.register({ name: "r", key: "large", offset: 0n, byteSize: BigInt(bytes.length) });
  const into = new Uint8Array(bytes.length);
  const reading = regions.reading(place(0n, BigInt(bytes.length)), into);
  let steps = 1;
  while (!reading.step(8192)) steps += 1;
  assert.equal(steps, 4);
  assert.deepEqual(into, bytes);
});

test("a place that leaves its region is rejected, also where the sum would overflow a 64-bit number", () => {
  const regions = open("bounds");
  const most = 2n ** 64n - 1n;
  for (const [offset, byteSize] of [
    [0n, 9n],
    [8n, 1n],
    [9n, 0n],
    [most, 2n],
    [most, most],
    [2n ** 63n, 2n ** 63n],
  ] as const) {
    const what = `${byteSize} at ${offset}`;
    assert.throws(
      () => regions.reading(place(offset, byteSize), new Uint8Array(1)),
      { reason: "bad_region" },
      what,
    );
    assert.throws(
      () => regions.writing(place(offset, byteSize), new Uint8Array(1)),
      { reason: "bad_region" },
      what,
    );
  }
  assert.throws(() => regions.reading(place(0n, 1n), new Uint8Array(2)), { reason: "bad_region" });
  for (const [offset, byteSize] of [
    [0n, 17n],
    [16n, 1n],
    [most, 1n],
    [most, most],
    [0n, 0n],
  ] as const) {
    const region = { name: "other", key: "/bounds", offset, byteSize };
    assert.throws(() => regions.register(region), { reason: "bad_region" }, `${byteSize} at ${offset}`);
  }
});

test("a file that was made shorter after it was registered is an error, and a write does not make it longer", () => {
  const regions = open("short");
  const reading = regions.reading(place(0n, 8n), new Uint8Array(8));
  truncateSync(file("short"), 6);
  assert.throws(() => finish(reading), { reason: "bad_region", message: /made shorter/ });
  assert.throws(() => finish(regions.writing(place(0n, 8n), new Uint8Array(8))), { reason: "bad_region" });
  assert.equal(statSync(file("short")).size, 6);
  truncateSync(file("short"), 0);
  assert.throws(() => finish(regions.reading(place(0n, 1n), new Uint8Array(1))), { reason: "bad_region" });
});

test("only plain files of that one folder can be registered: no paths, links, pipes or folders", () => {
  const regions = createMemoryRegions({ folder });
  writeFileSync(file("secret"), "12345678");
  mkdirSync(file("inner"), { recursive: true });
  writeFileSync(file("inner/secret"), "12345678");
  symlinkSync(file("secret"), file("link"));
  execFileSync("mkfifo", [file("pipe")]);
  for (const key of [
    "",
    "/",
    ".",
    "..",
    "/..",
    "//secret",
    "inner/secret",
    "../secret",
    `../${folder.split("/").at(-1)}/secret`,
    "/inner",
    "inner",
    "/link",
    "/pipe",
    "/nothing",
    "/secret\0",
    "/etc/passwd",
    `/${"a".repeat(256)}`,
  ]) {
    const region = { name: "r", key, offset: 0n, byteSize: 1n };
    assert.throws(() => regions.register(region), { code: "invalid_argument", reason: "bad_region" }, key);
  }
  assert.deepEqual(regions.status(""), []);
});

test("names are unique, listed, and free again once they are unregistered", () => {
  const regions = open("names");
  const again = { name: "r", key: "/names", offset: 0n, byteSize: 1n };
  assert.throws(() => regions.register(again), { code: "already_exists", reason: "region_exists" });
  for (const name of ["", "n".repeat(1025)])
    assert.throws(() => regions.register({ ...again, name }), { reason: "bad_region" });
  assert.deepEqual(regions.status("r"), [{ name: "r", key: "/names", offset: 4n, byteSize: 8n }]);
  assert.throws(() => regions.status("s"), { code: "not_found", reason: "no_such_region" });
  regions.unregister("s");
  regions.unregister("r");
  regions.unregister("r");
  assert.deepEqual(regions.status(""), []);
  regions.register(again);
  for (let i = 1; i < 1024; i++) regions.register({ ...again, name: `region-${i}` });
  assert.throws(() => regions.register({ ...again, name: "one more" }), { reason: "too_many_regions" });
  regions.unregister("");
  assert.deepEqual(regions.status(""), []);
  assert.throws(() => regions.reading(place(0n, 1n), new Uint8Array(1)), { reason: "no_such_region" });
});

test("no more regions are registered than the server says", () => {
  const regions = createMemoryRegions({ folder, maxRegions: 2 });
  const region = { key: "/names", offset: 0n, byteSize: 1n };
  for (const name of ["a", "b"]) regions.register({ ...region, name });
  assert.throws(() => regions.register({ ...region, name: "c" }), {
    reason: "too_many_regions",
    message: "there are 2 shared memory regions already",
  });
  regions.unregister("");
});

test("a request that uses a region while it is unregistered fails, and reads no other file by its number", () => {
  const regions = open("gone");
  const [reading, writing] = [
    regions.reading(place(0n, 8n), new Uint8Array(8)),
    regions.writing(place(0n, 8n), new Uint8Array(8)),
  ];
  regions.unregister("r");
  writeFileSync(file("next"), "87654321");
  regions.register({ name: "next", key: "/next", offset: 0n, byteSize: 8n });
  assert.throws(() => finish(reading), { reason: "no_such_region" });
  assert.throws(() => finish(writing), { reason: "no_such_region" });
  assert.equal(readFileSync(file("next"), "utf8"), "87654321");
  regions.unregister("");
});

test("a file that may only be read serves inputs", {
  skip: process.getuid?.() === 0 && "root may write",
}, () => {
  const regions = open("readable");
  chmodSync(file("readable"), 0o400);
  finish(regions.reading(place(0n, 1n), new Uint8Array(1)));
  assert.throws(() => finish(regions.writing(place(0n, 1n), new Uint8Array(1))), { message: /EACCES/ });
});
