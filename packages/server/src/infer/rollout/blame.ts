import { ServeError } from "../../base/errors.ts";

/** What an error says of the version that gave it. */
export type Blame = "version" | "unknown" | "none";

/** `unknown`: only what the other version says of the same request tells. */
export function blameOf(error: Error): Blame {
  if (!(error instanceof ServeError)) return "version";
  switch (error.code) {
    case "cancelled":
    case "permission_denied":
    case "unauthenticated":
      return "none";
    case "resource_exhausted":
      return error.reason === "quota_exceeded" ? "none" : "unknown";
    case "deadline_exceeded":
    case "internal":
    case "unavailable":
    case "unknown":
    case "data_loss":
      return "version";
    case "failed_precondition":
      return error.reason === "quarantined" ? "version" : "unknown";
    default:
      return "unknown";
  }
}
