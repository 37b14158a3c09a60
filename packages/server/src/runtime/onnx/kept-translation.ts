import type { Tensor } from "../../base/tensor.ts";
import type { FileStamp } from "../file-stamp.ts";
import type { TranslatedProgram } from "./translated-program.ts";

/** A translation that a process before this one made, and of which file. */
export interface KeptTranslation {
  /** Of the file, with the options that change the numbers: `modelDigest`. */
  readonly digest: string;
  /** Without a model: what was tried gained nothing. */
  readonly program: TranslatedProgram;
  /** Of an optimised model, whose weights lie beside the entry; undefined: they lie in the model's file. */
  readonly weights?: KeptWeights | undefined;
  /** How often it was begun to optimise it, without an end; undefined: it came to one. */
  readonly tries?: number | undefined;
}

export interface KeptWeights {
  /** As the file was when it was put there. */
  readonly stamp: FileStamp;
  /** Hex SHA-256, for a file that was copied since. */
  readonly digest: string;
}

/** What is text in an entry. */
interface Head extends Omit<TranslatedProgram, "model" | "sampleInputs"> {
  readonly digest: string;
  readonly weights?: KeptWeights | undefined;
  readonly tries?: number | undefined;
  readonly modelBytes: number;
  readonly samples: readonly (Omit<Tensor, "bytes"> & { readonly byteLength: number })[] | undefined;
}

const LENGTH_BYTES = 4;

/** The bytes of an entry, in pieces: the length of the head, the head as JSON, the samples, and the model. */
export function encodeKept({ digest, program, weights, tries }: KeptTranslation): Uint8Array[] {
  const { model, sampleInputs, ...facts } = program;
  const samples = sampleInputs?.map(({ datatype, shape, bytes }) => ({
    datatype,
    shape,
    byteLength: bytes.byteLength,
  }));
  const head: Head = { ...facts, digest, weights, tries, modelBytes: model.byteLength, samples };
  const text = Buffer.from(JSON.stringify(head), "utf8");
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(text.byteLength);
  return [length, text, ...(sampleInputs ?? []).map(({ bytes }) => bytes), model];
}

/** Reads what `encodeKept` of the same release wrote; undefined: it is something else. Tensors and model are views on the bytes. */
export function decodeKept(entry: Uint8Array): KeptTranslation | undefined {
  const bytes = Buffer.from(entry.buffer, entry.byteOffset, entry.byteLength);
  try {
    const textEnd = LENGTH_BYTES + bytes.readUInt32LE(0);
    const head = JSON.parse(bytes.toString("utf8", LENGTH_BYTES, textEnd)) as Head;
    const { digest, weights, tries, modelBytes, samples, ...facts } = head;
    let at = textEnd;
    const sampleInputs = samples?.map(({ byteLength, ...sample }): Tensor => {
      at += byteLength;
      // A copy, since a tensor begins at a multiple of its element's size.
      return { ...sample, bytes: new Uint8Array(bytes.subarray(at - byteLength, at)) };
    });
    if (at + modelBytes !== bytes.byteLength) return undefined;
    return { digest, weights, tries, program: { ...facts, sampleInputs, model: bytes.subarray(at) } };
  } catch {
    return undefined;
  }
}
