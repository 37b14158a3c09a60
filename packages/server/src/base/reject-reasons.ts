/** Why the scheduler rejected a request that the model has not answered. */
export const REJECT_REASONS = [
  "queue_full",
  "draining",
  "no_instance",
  "deadline_exceeded",
  "deadline_unreachable",
  "cancelled",
  "quota_exceeded",
  "quarantined",
  "execution_timeout",
  "shut_down",
] as const;
export type RejectReason = (typeof REJECT_REASONS)[number];
