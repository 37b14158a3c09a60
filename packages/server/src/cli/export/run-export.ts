import type { LoadSpec } from "../../runtime/runtime.ts";
import { askPython } from "../ask-python.ts";
import type { PlacedTensor } from "../placed-tensor.ts";

/** An input of the exported program: axes that should be free and came out fixed. */
export interface ExportedInput {
  readonly name: string;
  readonly datatype: string;
  readonly dims: readonly (number | { readonly symbol: string })[];
  readonly fixed: readonly number[];
}

/** One comparison of the exported program with the Python code. */
export interface ExportTrial {
  readonly shapes: readonly (readonly number[])[];
  /** Relative to 1 plus the value; −1: not comparable. */
  readonly error?: number;
  readonly refused?: string;
  /** What was put in, and what the code answered; undefined: it cannot be written down. */
  readonly inputs?: readonly PlacedTensor[];
  readonly outputs?: readonly PlacedTensor[];
  /** How long the code took, in milliseconds. */
  readonly codeMs?: number;
}

/** What PyTorch made. */
export interface ExportReport {
  readonly inputs: readonly ExportedInput[];
  readonly compared: readonly ExportTrial[];
  readonly torch: string;
  readonly parameters: number;
  /** What is no part of the file. */
  readonly notes: readonly string[];
}

/** Files that an export writes: the program, and the tensors of its trials. */
export interface ExportFiles {
  readonly output: string;
  readonly trials: string;
}

/** Has PyTorch export a model. Throws what it says against it. */
export function runExport(
  python: string,
  spec: LoadSpec,
  { output, trials }: ExportFiles,
  env: Readonly<Record<string, string | undefined>>,
): Promise<ExportReport> {
  return askPython<ExportReport>("export", { spec, output, trials }, { python, env });
}
