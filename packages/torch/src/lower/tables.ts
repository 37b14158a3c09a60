import { COMPLEX_LOWERINGS } from "./complex-table.ts";
import type { LoweringTables } from "./lower-graph.ts";
import { LOWERINGS } from "./table.ts";

/** Every op that translates, for real and for complex numbers. */
export const TABLES: LoweringTables = { real: LOWERINGS, complex: COMPLEX_LOWERINGS };
