import { writeFileSync } from "node:fs";
import { crc32 } from "node:zlib";

/** Writes an archive as torch-model-archiver lays it out: a manifest, and the files beside it. */
export function writeArchive(
  path: string,
  model: Readonly<Record<string, string>>,
  files: Readonly<Record<string, Uint8Array | string>> = {},
): void {
  const manifest = JSON.stringify({ createdOn: "", runtime: "python", archiverVersion: "0.12.0", model });
  const all = Object.entries({ ...files, "MAR-INF/MANIFEST.json": manifest });
  writeFileSync(path, storedZip(all.map(([name, data]) => [name, Buffer.from(data)])));
}

function storedZip(files: readonly (readonly [name: string, data: Buffer])[]): Buffer {
  const locals: Buffer[] = [];
  const records: Buffer[] = [];
  let at = 0;
  for (const [name, data] of files) {
    const title = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(title.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), common, title, data]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    records.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x00", "latin1"), common, tail, title]));
    locals.push(local);
    at += local.length;
  }
  const directory = Buffer.concat(records);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...locals, directory, end]);
}
