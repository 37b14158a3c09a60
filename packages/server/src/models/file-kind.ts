import type { ReadRange } from "./file-system.ts";
import { readZipNames } from "./zip-names.ts";

/**
 * What a file holds, by its content. `checkpoint` and `safetensors` carry weights without a program; `archive` is a zip or gzip
 * that is none of PyTorch's; `unknown` is none of all these.
 */
export type FileKind =
  | "pt2"
  | "torchscript"
  | "onnx"
  | "mar"
  | "checkpoint"
  | "safetensors"
  | "archive"
  | "unknown";

/** Enough for every magic number and for the first fields of an ONNX file. */
const HEAD_BYTES = 64;

/** Reads the head of a file, and the directory of a zip, and says what it is. Never throws for odd content. */
export async function detectFileKind(read: ReadRange, size: number): Promise<FileKind> {
  const head = await read(0, HEAD_BYTES);
  if (startsWith(head, [0x50, 0x4b, 0x03, 0x04])) return kindOfZip(await readZipNames(read, size));
  if (startsWith(head, [0x1f, 0x8b])) return "archive";
  if (head[0] === 0x80 && head[1] !== undefined && head[1] >= 2 && head[1] <= 5) return "checkpoint";
  if (looksLikeSafetensors(head, size)) return "safetensors";
  if (looksLikeOnnx(head)) return "onnx";
  return "unknown";
}

function kindOfZip(names: readonly string[] | undefined): FileKind {
  if (names === undefined) return "archive";
  let torchscript = false;
  let checkpoint = false;
  for (const name of names) {
    if (name === "MAR-INF/MANIFEST.json") return "mar";
    const inner = name.slice(name.indexOf("/") + 1);
    if (name === "serialized_exported_program.json" || inner === "archive_format") return "pt2";
    if (/^models\/[^/]+\.json$/.test(inner) || name.startsWith("data/aotinductor/")) return "pt2";
    if (inner === "constants.pkl" || inner.startsWith("code/")) torchscript = true;
    if (inner === "data.pkl") checkpoint = true;
  }
  if (torchscript) return "torchscript";
  return checkpoint ? "checkpoint" : "archive";
}

/** A little-endian uint64 header length that fits the file, then the `{` of the header (the safetensors format). */
function looksLikeSafetensors(head: Uint8Array, size: number): boolean {
  if (head.length < 9 || head[8] !== 0x7b) return false;
  const length = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true);
  return length >= 2n && length <= BigInt(size - 8);
}

/**
 * ONNX has no magic number. A ModelProto that anybody writes starts with field 1 (`ir_version`, a small varint), and the next
 * byte is the tag of another of its fields (onnx.proto3: 2–6 names and versions, 7 graph, 8 opset_import, 14, 20, 25).
 */
function looksLikeOnnx(head: Uint8Array): boolean {
  const version = head[1];
  const tag = head[2];
  if (head[0] !== 0x08 || version === undefined || version === 0 || version > 64) return false;
  return tag !== undefined && [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72, 0xa2, 0xca].includes(tag);
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}
