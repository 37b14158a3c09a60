import type { Random } from "./random.ts";

export const ROW_BYTES = 16;
const ID_START = 1;
const ID_END = 8;

/** Which of all rows of a run this one is. */
export interface RowName {
  /** 0 … 255 */
  readonly stream: number;
  readonly sequence: number;
}

/** One row: a byte that may be poison, seven that name it, eight of noise. No two rows of a run are alike. */
export function makeRow(name: RowName, random: Random, poison = 0): Uint8Array {
  const row = Buffer.alloc(ROW_BYTES);
  row[0] = poison;
  row[ID_START] = name.stream;
  row.writeUIntBE(name.sequence, ID_START + 1, 6);
  row.writeUInt32LE(random.integer(0, 0xffffffff), ID_END);
  row.writeUInt32LE(random.integer(0, 0xffffffff), ID_END + 4);
  return row;
}

/** A row's name as text; the journal of a model tells rows apart by it. */
export function rowId(rows: Uint8Array, offset = 0): string {
  return Buffer.from(rows.buffer, rows.byteOffset + offset + ID_START, ID_END - ID_START).toString("hex");
}
