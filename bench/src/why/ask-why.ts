import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { SCONCE } from "../sconce-command.ts";

/** What `sconce why --json` prints, as far as it is looked at here. */
export interface WhyReport {
  readonly findings: readonly {
    readonly id: string;
    readonly costMs: number;
    readonly evidence: string;
    readonly tried?: string | { readonly gain: number; readonly helped: boolean; readonly error?: number };
  }[];
  readonly evidence: { readonly answered: number; readonly load?: { readonly meanMs: number } };
}

const LIMIT_MS = 10 * 60_000;

/** Asks `sconce why` of a model. Throws when no request was answered. */
export async function askWhy(args: readonly string[], signal?: AbortSignal): Promise<WhyReport> {
  const { stdout } = await promisify(execFile)(process.execPath, [...SCONCE, "why", ...args, "--json"], {
    timeout: LIMIT_MS,
    maxBuffer: 2 ** 26,
    ...(signal !== undefined && { signal }),
  });
  return JSON.parse(stdout) as WhyReport;
}
