import { closeSync, openSync, readSync, writeFileSync } from "node:fs";
import type { Datatype } from "@sconce/protocol";
import type { Tensor } from "../base/tensor.ts";

/** A tensor whose bytes lie in a file. */
export interface PlacedTensor {
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

/** Runs `use` with a reader of the tensors of a file. */
export async function withPlacedTensors<T>(
  file: string,
  use: (read: (place: PlacedTensor) => Tensor) => Promise<T>,
): Promise<T> {
  const fd = openSync(file, "r");
  try {
    return await use(({ datatype, shape, start, end }) => {
      const bytes = new Uint8Array(end - start);
      for (let at = 0; at < bytes.length; ) {
        const count = readSync(fd, bytes, at, bytes.length - at, start + at);
        if (count === 0) throw new RangeError("the file of tensors is shorter than it should be");
        at += count;
      }
      return { datatype: datatype as Datatype, shape, bytes };
    });
  } finally {
    closeSync(fd);
  }
}

/** Writes tensors into a file, and says where they lie. */
export function writePlacedTensors(file: string, tensors: readonly Tensor[]): PlacedTensor[] {
  let start = 0;
  const places = tensors.map(({ datatype, shape, bytes }) => {
    const end = start + bytes.length;
    const place = { datatype, shape, start, end };
    start = end;
    return place;
  });
  writeFileSync(file, Buffer.concat(tensors.map(({ bytes }) => bytes)));
  return places;
}
