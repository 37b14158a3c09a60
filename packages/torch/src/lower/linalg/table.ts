import type { LoweringTable } from "../core/lowering.ts";
import { mergeTables } from "../core/merge-tables.ts";
import { DETERMINANTS } from "./determinants.ts";
import { EIGENVALUES } from "./eigenvalues.ts";
import { EINSUM } from "./einsum.ts";
import { LU } from "./lu.ts";
import { MATMUL } from "./matmul.ts";
import { MATRIX_FUNCTIONS } from "./matrix-functions.ts";
import { NORMS } from "./norms.ts";
import { ORTHOGONAL } from "./orthogonal.ts";
import { PRODUCTS } from "./products.ts";
import { SINGULAR_VALUES } from "./singular-values.ts";
import { SOLVING } from "./solving.ts";
import { TRIANGLES } from "./triangles.ts";

/** Linear algebra. */
export const LINALG: LoweringTable = mergeTables([
  DETERMINANTS,
  EIGENVALUES,
  EINSUM,
  LU,
  MATMUL,
  MATRIX_FUNCTIONS,
  NORMS,
  ORTHOGONAL,
  PRODUCTS,
  SINGULAR_VALUES,
  SOLVING,
  TRIANGLES,
]);
