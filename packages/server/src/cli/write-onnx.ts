import { closeSync, openSync, statSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  encodeModelParts,
  externalizeWeights,
  inlineSmallWeights,
  inlineWeights,
  type OnnxModel,
  type ReadExternal,
  weightBytes,
} from "@sconce/torch";

/** ONNX is a protobuf message, which ends at 2 GiB; the graph itself needs some of it. */
const MAX_INLINE_BYTES = 2 ** 31 - 64 * 2 ** 20;

/** What was written: the model, and the file of its weights when they are too many for one. */
export interface WrittenModel {
  readonly files: readonly { readonly name: string; readonly byteLength: number }[];
  readonly byteLength: number;
}

/**
 * Writes a model as an ONNX file of its own; weights past 2 GiB go into `<file>.data` beside it. Writes into a draft: see
 * output-draft.ts. Throws what the file system throws.
 */
export function writeOnnx(
  path: string,
  model: OnnxModel,
  {
    read,
    maxInlineBytes = MAX_INLINE_BYTES,
  }: { readonly read: ReadExternal; readonly maxInlineBytes?: number },
): WrittenModel {
  if (weightBytes(model) <= maxInlineBytes) {
    return written([
      [path, writeWhole(path, (file) => writeParts(file, encodeModelParts(inlineWeights(model, read))))],
    ]);
  }
  const dataPath = join(dirname(path), `${safeName(basename(path))}.data`);
  const { model: small, placed } = externalizeWeights(inlineSmallWeights(model, read), basename(dataPath));
  const dataBytes = writeWhole(dataPath, (file) => {
    for (const { offset, data } of placed) {
      writeAt(file, data instanceof Uint8Array ? data : read(data), offset);
    }
  });
  const modelBytes = writeWhole(path, (file) => writeParts(file, encodeModelParts(small)));
  return written([
    [path, modelBytes],
    [dataPath, dataBytes],
  ]);
}

function written(files: readonly (readonly [string, number])[]): WrittenModel {
  return {
    files: files.map(([path, byteLength]) => ({ name: basename(path), byteLength })),
    byteLength: files.reduce((sum, [, byteLength]) => sum + byteLength, 0),
  };
}

/** Names of external data are read by the strictest rule there is: ours. */
function safeName(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]/g, "_").replace(/^[.-]/, "_");
}

/** Writes a new file; answers its size. */
function writeWhole(path: string, write: (file: number) => void): number {
  const file = openSync(path, "wx");
  try {
    write(file);
  } finally {
    closeSync(file);
  }
  return statSync(path).size;
}

function writeParts(file: number, parts: readonly Uint8Array[]): void {
  let offset = 0;
  for (const part of parts) {
    writeAt(file, part, offset);
    offset += part.length;
  }
}

function writeAt(file: number, bytes: Uint8Array, offset: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(file, bytes, done, Math.min(bytes.length - done, 2 ** 30), offset + done);
  }
}
