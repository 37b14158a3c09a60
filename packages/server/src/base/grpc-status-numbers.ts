import type { ErrorCode } from "./errors.ts";

/** gRPC status numbers of our codes (gRPC "Status codes and their use"). */
export const GRPC_STATUS_NUMBERS: Readonly<Record<ErrorCode, number>> = {
  cancelled: 1,
  unknown: 2,
  invalid_argument: 3,
  deadline_exceeded: 4,
  not_found: 5,
  already_exists: 6,
  permission_denied: 7,
  resource_exhausted: 8,
  failed_precondition: 9,
  aborted: 10,
  out_of_range: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  data_loss: 15,
  unauthenticated: 16,
};
