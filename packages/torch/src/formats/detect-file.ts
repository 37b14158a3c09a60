import { isSafetensors } from "../archive/safetensors.ts";
import { isZip } from "../archive/zip.ts";
import type { ByteSource } from "../byte-source.ts";
import type { FileFormat } from "./file-format.ts";
import { pickleFormat } from "./pickle-format.ts";
import { protobufFormat } from "./protobuf-format.ts";
import { zipFormat } from "./zip-format.ts";

interface Magic {
  readonly at: number;
  readonly bytes: readonly number[];
  readonly format: FileFormat;
}

const ascii = (text: string): number[] => Array.from(text, (letter) => letter.charCodeAt(0));

/** Formats that a few bytes at a fixed place tell for certain. */
const MAGICS: readonly Magic[] = [
  { at: 0, bytes: [0x1f, 0x8b], format: "gzip" },
  { at: 0, bytes: [0x89, ...ascii("HDF\r\n"), 0x1a], format: "hdf5" },
  { at: 0, bytes: ascii("GGUF"), format: "gguf" },
  { at: 0, bytes: ascii("ftrt"), format: "tensorrt" },
  { at: 0, bytes: ascii("ptrt"), format: "tensorrt" },
  { at: 0, bytes: ascii("version https://git-lfs"), format: "git-lfs" },
  { at: 0, bytes: ascii("PK\x05\x06"), format: "zip" },
  { at: 4, bytes: ascii("TFL3"), format: "tflite" },
  { at: 4, bytes: ascii("ET1"), format: "executorch" },
];
const TAR = ascii("ustar");
const HEAD_BYTES = 512;
const SAVED_MODEL = /^saved_model\.pb$/i;

/** Formats without a magic number, by the name or suffix their tools give them. */
const SUFFIXES: readonly (readonly [RegExp, FileFormat])[] = [
  [/\.(engine|plan|trt)$/i, "tensorrt"],
  [/\.joblib$/i, "scikit-learn"],
];

/**
 * What a file is, by its content: its first bytes, the directory of a zip, the fields of a protobuf message. Damage inside is found when
 * the file is opened. Throws ModelFileError "unreadable" only.
 */
export function detectFile(source: ByteSource): FileFormat {
  if (source.byteLength === 0) return "empty";
  const head = source.read(0, Math.min(HEAD_BYTES, source.byteLength));
  const begins = (bytes: readonly number[], at = 0): boolean =>
    bytes.every((byte, index) => head[at + index] === byte);
  if (isZip(source)) return zipFormat(source);
  if (isSafetensors(source)) return "safetensors";
  if (head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5) return pickleFormat(source);
  const magic = MAGICS.find(({ bytes, at }) => begins(bytes, at));
  if (magic !== undefined) return magic.format;
  if (begins(TAR, 257)) return tarFormat(head);
  if (/^\s*<(!doctype html|html)\b/i.test(new TextDecoder("latin1").decode(head))) return "web-page";
  // Cut off, it would begin as an ONNX model does.
  if (SAVED_MODEL.test(source.name)) return "savedmodel";
  const bySuffix = SUFFIXES.find(([suffix]) => suffix.test(source.name));
  return protobufFormat(source) ?? bySuffix?.[1] ?? "unknown";
}

/** PyTorch's first layout is a tar of `sys_info`, `pickle`, `storages` and `tensors`. */
function tarFormat(head: Uint8Array): "tar" | "tar-checkpoint" {
  const first = new TextDecoder("latin1").decode(head.subarray(0, 100)).replace(/\0.*$/s, "");
  return /^(\.\/)?(sys_info|pickle|storages|tensors)$/.test(first) ? "tar-checkpoint" : "tar";
}
