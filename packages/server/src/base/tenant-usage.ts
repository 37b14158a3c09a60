/** What one tenant asked of this server since it started. */
export interface TenantUsage {
  /** `key:ci`, `jwt:…`, or what the header of tenants says; "" for requests that name none. */
  readonly tenant: string;
  /** Inferences that came as far as a queue. Answers out of a cache are not among them. */
  readonly requests: number;
  /** Those of them that were rejected, since there were too many. */
  readonly rejected: number;
  /** What it may ask; undefined: as much as it likes. */
  readonly rate: { readonly perSecond: number; readonly burst: number } | undefined;
  /** How many it may send at once now. */
  readonly available: number | undefined;
}
