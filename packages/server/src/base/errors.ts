export { type ErrorCode, invariant, ServeError } from "@sconce/protocol";
