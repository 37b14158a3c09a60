import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { isErrorCode, isErrorReason } from "@sconce/protocol";
import { ServeError } from "../../base/errors.ts";
import type { LoadSpec } from "../../runtime/runtime.ts";

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

/** A tensor whose bytes lie in a file. */
export interface PlacedTensor {
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

/** What PyTorch made. */
export interface ExportReport {
  readonly inputs: readonly ExportedInput[];
  readonly compared: readonly ExportTrial[];
  readonly torch: string;
  readonly parameters: number;
}

interface Failure {
  readonly code: string;
  readonly reason: string;
  readonly message: string;
  readonly detail?: string | null;
}

const SCRIPT = fileURLToPath(new URL("../../../python/export.py", import.meta.url));
const MOST_ERROR_CHARS = 4_000;

/** Files that an export writes: the program, and the tensors of its trials. */
export interface ExportFiles {
  readonly output: string;
  readonly trials: string;
}

/** Has PyTorch export a model. Throws what it says against it. */
export async function runExport(
  python: string,
  spec: LoadSpec,
  { output, trials }: ExportFiles,
  env: Readonly<Record<string, string | undefined>>,
): Promise<ExportReport> {
  const child = spawn(python, [SCRIPT], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...env, PYTHONUTF8: "1", PYTHONDONTWRITEBYTECODE: "1" },
  });
  const [answer, errors]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (chunk: Buffer) => answer.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  child.stdin.on("error", () => {});
  child.stdin.end(JSON.stringify({ spec, output, trials }));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const text = Buffer.concat(answer).toString();
  if (code !== 0 || text === "") {
    const last = Buffer.concat(errors).toString().slice(-MOST_ERROR_CHARS).trim().split("\n").at(-1) ?? "";
    throw new ServeError("failed_precondition", `Python ended with code ${code}: ${last}`, {
      reason: "python_missing",
    });
  }
  const { error, ...report } = JSON.parse(text) as ExportReport & { readonly error?: Failure };
  if (error === undefined) return report;
  throw ServeError.of(isErrorCode(error.code) ? error.code : "failed_precondition", error.message, {
    ...(isErrorReason(error.reason) && { reason: error.reason }),
    cause: error.detail ?? undefined,
  });
}
