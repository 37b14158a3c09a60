export { type ErrorCode, invariant, isErrorCode, ServeError } from "@sconce/protocol";
