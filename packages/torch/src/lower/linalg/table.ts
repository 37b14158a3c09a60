import type { LoweringTable } from "../core/lowering.ts";
import { mergeTables } from "../core/merge-tables.ts";
import { EINSUM } from "./einsum.ts";
import { MATMUL } from "./matmul.ts";
import { MATRIX_FUNCTIONS } from "./matrix-functions.ts";
import { NORMS } from "./norms.ts";
import { PRODUCTS } from "./products.ts";

/** Linear algebra. */
export const LINALG: LoweringTable = mergeTables([EINSUM, MATMUL, MATRIX_FUNCTIONS, NORMS, PRODUCTS]);
