/** What parts around the replicas bear, and what a fleet asks of them. All are figures per second but where the name says otherwise. */
export interface Surroundings {
  /** Requests that one processor of a proxy passes on with TLS on both sides. */
  readonly proxyPerCore: number;
  readonly proxyCores: number;
  /** Operations of one Redis. */
  readonly storeOperations: number;
  /** Share of the requests that ask the store: those that the replica's own memory does not answer. */
  readonly storeShare: number;
  /** Series that a replica with one model has in /metrics. */
  readonly seriesPerReplica: number;
  readonly scrapeEveryS: number;
  readonly healthEveryS: number;
  /** From the wish for a replica to its first request, and from SIGTERM to its end. */
  readonly startS: number;
  readonly drainS: number;
}

export interface Footprint {
  readonly proxies: number;
  readonly storeOperations: number;
  readonly stores: number;
  readonly series: number;
  readonly samples: number;
  readonly healthChecks: number;
  /** A rolling update, one new replica at a time, and a quarter of them. */
  readonly updateByOneS: number;
  readonly updateByQuarterS: number;
}

/** A look-up, and for a miss (half of them) a claim and the answer. */
const OPERATIONS_PER_LOOKUP = 2;

export function footprint(perSecond: number, replicas: number, around: Surroundings): Footprint {
  const proxies = Math.max(2, Math.ceil(perSecond / (around.proxyPerCore * around.proxyCores)) + 1);
  const storeOperations = perSecond * around.storeShare * OPERATIONS_PER_LOOKUP;
  const series = replicas * around.seriesPerReplica;
  return {
    proxies,
    storeOperations,
    stores: Math.ceil(storeOperations / around.storeOperations),
    series,
    samples: series / around.scrapeEveryS,
    healthChecks: (proxies * replicas) / around.healthEveryS,
    updateByOneS: updateS(replicas, 1, around),
    updateByQuarterS: updateS(replicas, Math.ceil(replicas / 4), around),
  };
}

/** With `maxUnavailable: 0`: so many start, and once they are ready as many go, while the next ones start. */
function updateS(replicas: number, surge: number, { startS, drainS }: Surroundings): number {
  return Math.ceil(replicas / surge) * startS + drainS;
}
