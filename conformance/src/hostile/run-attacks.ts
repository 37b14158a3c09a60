import { existsSync, readFileSync } from "node:fs";
import type { Attack, Target } from "./attack.ts";
import { askInGoodFaith, startWitness } from "./witness.ts";

/** What became of one attack. */
export interface Verdict {
  readonly group: string;
  readonly name: string;
  readonly holds: string;
  /** Empty: it holds. */
  readonly problem: string;
  readonly elapsedMs: number;
  /** The longest that a client waited who asked for the server's health meanwhile. */
  readonly worstMs: number;
  /** Resident memory of the server above the base, by default what it had before the first attack, in MiB. */
  readonly grownMib: number;
}

/** A client that waited longer was hurt. */
const HURT_MS = 5_000;
/** The same where the machine may be as busy as it likes. */
export const HURT_ANYWHERE_MS: number = 60_000;

/** Runs attacks one after another. After each the server must answer a good request, and nobody may have waited for long. */
export async function runAttacks(
  target: Target,
  attacks: readonly Attack[],
  {
    onVerdict,
    baseMib = residentMib(target.pid),
    hurtMs = HURT_MS,
  }: { onVerdict?(verdict: Verdict): void; readonly baseMib?: number; readonly hurtMs?: number } = {},
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const attack of attacks) {
    const witness = startWitness(target);
    const startMs = performance.now();
    const own = await attack.run(target).catch((error: unknown) => `the attack failed: ${String(error)}`);
    const elapsedMs = performance.now() - startMs;
    const { worstMs, failed } = await witness.stop();
    const hurt = worstMs > hurtMs ? `somebody waited ${Math.round(worstMs)} ms` : "";
    const unanswered = failed > 0 ? `${failed} questions for health were not answered` : "";
    const problem = own || hurt || unanswered || (await askInGoodFaith(target));
    const { group, name, holds } = attack;
    const verdict = {
      group,
      name,
      holds,
      problem,
      elapsedMs,
      worstMs,
      grownMib: residentMib(target.pid) - baseMib,
    };
    verdicts.push(verdict);
    onVerdict?.(verdict);
  }
  return verdicts;
}

/** 0 where there is no such process here. */
export function residentMib(pid: number | undefined): number {
  // So it is when the server has ended, which the good request tells.
  if (pid === undefined || !existsSync(`/proc/${pid}/status`)) return 0;
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
}
