import { memorySource } from "../archive/byte-range.ts";
import type { ByteSource } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import { OPCODES, STOP } from "./opcodes.ts";
import { PickleCursor } from "./pickle-cursor.ts";
import { PICKLE_LIMITS, type PickleLimits } from "./pickle-limits.ts";
import { PickleMachine } from "./pickle-machine.ts";
import type { PickleValue } from "./pickle-value.ts";

/** A pickle as data, and where it ended in its source: the next one may start there. */
export interface Unpickled {
  readonly value: PickleValue;
  readonly end: number;
}

/** Reads a whole pickle as data. Runs nothing, imports nothing. Throws ModelFileError. */
export function unpickle(bytes: Uint8Array, limits?: Partial<PickleLimits>): PickleValue {
  return unpickleAt(memorySource("pickle", bytes), 0, limits).value;
}

/** Reads the pickle that starts at `offset` of a source. Throws ModelFileError. */
export function unpickleAt(source: ByteSource, offset: number, limits?: Partial<PickleLimits>): Unpickled {
  const bounds: PickleLimits = { ...PICKLE_LIMITS, ...limits };
  const cursor = new PickleCursor(source, offset, bounds.maxBytes);
  const machine = new PickleMachine(cursor, bounds);
  for (let ops = 0; ops < bounds.maxOps; ops += 1) {
    const code = cursor.byte();
    if (code === STOP) return { value: machine.finish(), end: cursor.offset };
    const run = OPCODES.get(code);
    if (run === undefined) {
      throw new ModelFileError("corrupt", `the pickle has the unknown opcode 0x${code.toString(16)}`);
    }
    run(machine);
  }
  throw new ModelFileError("limit", `the pickle has more than ${bounds.maxOps} operations`);
}
