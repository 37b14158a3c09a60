/** How long the servers are compared. */
export interface PeersEffort {
  readonly rounds: number;
  /** Of each server alone, for the time until its first answer. */
  readonly starts: number;
  /** Of one turn; the workload's own where it is undefined. */
  readonly seconds?: number;
  readonly warmUpSeconds: number;
}

export const FULL: PeersEffort = { rounds: 5, starts: 3, warmUpSeconds: 1 };
/** To see that everything works; its figures mean little. */
export const QUICK: PeersEffort = { rounds: 1, starts: 1, seconds: 1, warmUpSeconds: 1 };
