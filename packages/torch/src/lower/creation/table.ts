import type { LoweringTable } from "../core/lowering.ts";
import { mergeTables } from "../core/merge-tables.ts";
import { FILL } from "./fill.ts";
import { RANGES } from "./ranges.ts";

/** Tensors made from sizes and numbers. */
export const CREATION: LoweringTable = mergeTables([FILL, RANGES]);
