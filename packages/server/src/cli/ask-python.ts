import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { isErrorCode, isErrorReason } from "@sconce/protocol";
import { ServeError } from "../base/errors.ts";
import { undoneAtEnd } from "./undone-at-end.ts";

interface Failure {
  readonly code: string;
  readonly reason: string;
  readonly message: string;
  readonly detail?: string | null;
}

/** With which interpreter, and what it may know of the environment. */
export interface AskedPython {
  readonly python: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const SCRIPT = fileURLToPath(new URL("../../python/ask.py", import.meta.url));
const MOST_ERROR_CHARS = 4_000;

/** Asks a process of its own for something that only PyTorch can do. Throws what it says against it. */
export async function askPython<T>(
  task: "export" | "values",
  request: unknown,
  { python, env }: AskedPython,
): Promise<T> {
  const child = spawn(python, [SCRIPT, task], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...env, PYTHONUTF8: "1", PYTHONDONTWRITEBYTECODE: "1" },
  });
  const [answer, errors]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (chunk: Buffer) => answer.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
  child.stdin.on("error", () => {});
  child.stdin.end(JSON.stringify(request));
  const forget = undoneAtEnd(() => child.kill("SIGKILL"));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  }).finally(forget);
  const text = Buffer.concat(answer).toString();
  if (code !== 0 || text === "") {
    const last = Buffer.concat(errors).toString().slice(-MOST_ERROR_CHARS).trim().split("\n").at(-1) ?? "";
    const why = last.includes("No module named 'torch'")
      ? `${python} has no PyTorch: run its -m pip install torch, or name another with --python`
      : `Python ended with code ${code}: ${last}`;
    throw new ServeError("failed_precondition", why, {
      reason: "python_missing",
    });
  }
  const { error, ...found } = JSON.parse(text) as { readonly error?: Failure };
  if (error === undefined) return found as T;
  throw ServeError.of(isErrorCode(error.code) ? error.code : "failed_precondition", error.message, {
    ...(isErrorReason(error.reason) && { reason: error.reason }),
    cause: error.detail ?? undefined,
  });
}
