import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync, crc32 as zlibCrc32 } from "node:zlib";
import fc from "fast-check";
import { ModelFileError, type ModelFileErrorKind } from "../errors.ts";
import { nodePlatform } from "../node.ts";
import { memorySource } from "./byte-range.ts";
import { crc32 } from "./crc32.ts";
import { openZip, type ZipArchive } from "./zip.ts";
import { buildZip, type ZipEnd, type ZipPart } from "./zip-build.kit.ts";
import type { ZipLimits } from "./zip-limits.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);

function deflated(name: string, data: Uint8Array): ZipPart {
  return { name, data: deflateRawSync(data), method: 8, byteLength: data.byteLength, crc32: crc32(data) };
}

function open(parts: readonly ZipPart[], end?: ZipEnd, limits?: Partial<ZipLimits>): ZipArchive {
  return openZip(memorySource("x.zip", buildZip(parts, end)), nodePlatform, limits);
}

function refuses(kind: ModelFileErrorKind, message: RegExp, run: () => unknown): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof ModelFileError, String(error));
    assert.equal(error.kind, kind);
    assert.match(error.message, message);
    return true;
  });
}

test("crc32 equals zlib's on any bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (data) => crc32(data) === zlibCrc32(data)));
});

test("stored and deflated entries read back, folders are left out", () => {
  const zip = open([
    { name: "m/", data: bytes("") },
    { name: "m/a", data: bytes("alpha"), align: 64 },
    deflated("m/code.py", bytes("x = 1\n".repeat(50))),
  ]);
  assert.deepEqual([...zip.entries.keys()], ["m/a", "m/code.py"]);
  assert.equal(text(zip.read("m/a")), "alpha");
  assert.equal(text(zip.read("m/code.py")), "x = 1\n".repeat(50));
  assert.equal(zip.entries.get("m/code.py")?.byteLength, 300);
  assert.equal(zip.locate("m/a")!.offset % 64, 0);
  assert.equal(zip.locate("m/code.py"), undefined);
  refuses("corrupt", /no entry 'm\/b'/, () => zip.read("m/b"));
});

test("zip64 records and a comment are understood", () => {
  const parts = [{ name: "a", data: bytes("alpha"), zip64: true }];
  assert.equal(
    text(open(parts, { zip64: true, comment: bytes("PK\x05\x06 not the end") }).read("a")),
    "alpha",
  );
});

test("a stored entry of a nested zip is located in the outer file; one of a deflated zip is not", () => {
  const inner = buildZip([{ name: "w", data: bytes("weights"), align: 64 }]);
  const file = buildZip([
    { name: "p", data: bytes("pad") },
    { name: "in.zip", data: inner },
    deflated("in2.zip", inner),
  ]);
  const outer = openZip(memorySource("x.zip", file), nodePlatform);
  const stored = openZip(outer.open("in.zip"), nodePlatform);
  const { offset, byteLength } = stored.locate("w")!;
  assert.equal(text(file.subarray(offset, offset + byteLength)), "weights");
  const inflated = openZip(outer.open("in2.zip"), nodePlatform);
  assert.equal(inflated.locate("w"), undefined);
  assert.equal(text(inflated.read("w")), "weights");
});

test("limits hold at n and refuse at n+1", () => {
  const parts = [{ name: "abc", data: bytes("1") }, deflated("b", new Uint8Array(64 * 2 ** 10 + 1))];
  const ratio = (64 * 2 ** 10 + 1) / (parts[1]!.data.byteLength as number);
  const directoryBytes = 46 * 2 + 4;
  const inflated = 64 * 2 ** 10 + 1;
  const base = { maxRatio: 10_000 };
  open(parts, {}, { ...base, maxEntries: 2, maxNameBytes: 3, maxDirectoryBytes: directoryBytes });
  open(parts, {}, { ...base, maxInflatedBytes: inflated, maxReadBytes: inflated }).read("b");
  open(parts, {}, { maxRatio: ratio });
  refuses("limit", /2 entries; the limit is 1/, () => open(parts, {}, { ...base, maxEntries: 1 }));
  refuses("limit", /3 bytes; the limit is 2/, () => open(parts, {}, { ...base, maxNameBytes: 2 }));
  refuses("limit", /directory has/, () =>
    open(parts, {}, { ...base, maxDirectoryBytes: directoryBytes - 1 }),
  );
  refuses("limit", /together/, () => open(parts, {}, { ...base, maxInflatedBytes: inflated - 1 }));
  refuses("limit", /'b' has/, () => open(parts, {}, { ...base, maxReadBytes: inflated - 1 }).read("b"));
  refuses("limit", /more than 199 times/, () => open(parts, {}, { maxRatio: 199 }));
  open([deflated("b", new Uint8Array(64 * 2 ** 10))]);
});

test("an entry that inflates past its declared size is refused", () => {
  const lie = { ...deflated("b", new Uint8Array(50_000)), byteLength: 1000 };
  refuses("limit", /larger than 1000 bytes/, () => open([lie]).read("b"));
  refuses("corrupt", /another size/, () => open([{ ...lie, byteLength: 50_001 }]).read("b"));
});

for (const name of ["/abs", "../up", "a/../b", "a\\b", "C:x", "a//b", "./a", "", "a\0b"]) {
  test(`the unsafe name ${JSON.stringify(name)} is refused`, () => {
    refuses("corrupt", /unsafe name/, () => open([{ name, data: bytes("x") }]));
  });
}

test("entries that lie about themselves are refused", () => {
  const a = { name: "a", data: bytes("alpha") };
  const b = { name: "b", data: bytes("beta") };
  refuses("corrupt", /two entries named 'a'/, () => open([a, a]));
  refuses("corrupt", /overlaps/, () => open([a, { ...b, headerOffset: 0 }]));
  refuses("corrupt", /overlaps/, () => open([{ ...a, byteLength: 9, compressedByteLength: 9 }, b]).read("a"));
  refuses("corrupt", /two sizes differ/, () => open([{ ...a, byteLength: 4 }]));
  refuses("corrupt", /does not start/, () => open([{ ...a, headerOffset: 1 }]).read("a"));
  refuses("corrupt", /folder, but it has content/, () => open([{ name: "d/", data: bytes("x") }]));
  refuses("corrupt", /checksum/, () => open([{ ...a, crc32: 1 }]).read("a"));
  refuses("corrupt", /checksum/, () => open([{ ...deflated("a", bytes("x")), crc32: 1 }]).read("a"));
  // torch.serialization.set_crc32_options(False) writes every checksum as 0.
  assert.equal(text(open([{ ...a, crc32: 0 }]).read("a")), "alpha");
  refuses("unsupported", /encrypted/, () => open([{ ...a, flags: 1 }]));
  refuses("unsupported", /zip method 14/, () => open([{ ...a, method: 14 }]).read("a"));
  refuses("unsupported", /several files/, () => open([a], { disk: 1 }));
  refuses("corrupt", /entry count/, () => open([a], { count: 3 }));
  refuses("corrupt", /size does not match/, () => open([a, b], { count: 1 }));
});

test("a file that is not a zip is refused", () => {
  for (const data of [bytes(""), bytes("PK"), bytes("hello world, this is not a zip")]) {
    refuses("corrupt", /not a zip/, () => openZip(memorySource("x", data), nodePlatform));
  }
});

test("any mutation of a zip gives the content or a ModelFileError, within bounds", () => {
  const inner = buildZip([{ name: "w", data: bytes("weights"), align: 64 }]);
  const file = buildZip(
    [
      { name: "a", data: bytes("alpha"), zip64: true },
      deflated("b", new Uint8Array(900)),
      { name: "z", data: inner },
    ],
    { zip64: true },
  );
  const change = fc.record({ at: fc.nat(file.byteLength - 1), value: fc.integer({ min: 0, max: 255 }) });
  const property = fc.property(
    fc.array(change, { minLength: 1, maxLength: 4 }),
    fc.nat(40),
    (changes, cut) => {
      const mutated = file.slice(0, file.byteLength - (cut > 30 ? cut : 0));
      for (const { at, value } of changes) mutated[at] = value;
      try {
        const zip = openZip(memorySource("x.zip", mutated), nodePlatform);
        for (const name of zip.entries.keys()) {
          zip.read(name);
          zip.locate(name);
          zip.open(name);
        }
      } catch (error) {
        if (!(error instanceof ModelFileError)) throw error;
      }
    },
  );
  fc.assert(property, { numRuns: 5_000 });
});
