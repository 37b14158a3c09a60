export {
  type ErrorCode,
  type ErrorReason,
  invariant,
  isErrorCode,
  isErrorReason,
  type ReasonOf,
  ServeError,
} from "@sconce/protocol";
