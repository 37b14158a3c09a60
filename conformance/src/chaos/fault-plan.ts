import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

/** The variable that names the plan's file to a server and its workers. */
export const FAULT_PLAN_VARIABLE = "SCONCE_FAULT_PLAN";

/** Error codes that a disk, a network file system or a full table of descriptors answers with. */
export const FAULT_CODES = ["EIO", "ENOSPC", "EMFILE", "EACCES", "ENOENT"] as const;

export type FaultCode = (typeof FAULT_CODES)[number];

/** Which file system calls are to fail. Calls are counted over all processes together, in the order they came. */
export interface FaultPlan {
  /** Only calls on what lies below this folder count. */
  readonly under: string;
  /** Every counted call adds a line here. */
  readonly journal: string;
  /** The first call that fails, from 0. */
  readonly at: number;
  /** `once`, or every call from there on. */
  readonly lasts: "once" | "on";
  readonly code: FaultCode;
}

/** The harness' side of a plan. */
export interface FaultSwitch {
  /** From now on calls fail as planned; their count begins anew. */
  arm(plan: Pick<FaultPlan, "at" | "lasts" | "code">): void;
  disarm(): void;
  /** What was called since it was armed: `<process>.<number> <call> <file>` */
  calls(): readonly string[];
}

export function createFaultSwitch(planFile: string, under: string): FaultSwitch {
  const journal = `${planFile}.calls`;
  return {
    arm(plan) {
      writeFileSync(journal, "");
      // In one step, so that no process reads half a plan.
      writeFileSync(`${planFile}.new`, JSON.stringify({ ...plan, under, journal } satisfies FaultPlan));
      renameSync(`${planFile}.new`, planFile);
    },
    disarm: () => rmSync(planFile, { force: true }),
    calls: () => (existsSync(journal) ? readFileSync(journal, "utf8").split("\n").slice(0, -1) : []),
  };
}
