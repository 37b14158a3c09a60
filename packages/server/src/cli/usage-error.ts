import { type ErrorReason, ServeError } from "../base/errors.ts";
import { faultCode } from "../base/file-fault.ts";
import { envName, flagName, type OptionTable } from "../config/option.ts";

const USAGE_REASONS: ReadonlySet<ErrorReason> = new Set([
  "bad_arguments",
  "bad_option",
  "bad_config_file",
  "missing_path",
  "missing_admin_token",
  "unsafe_binding",
]);

/** For what another command line would help against: `invalid_argument`/`bad_arguments`, exit code 2. */
export function usageError(message: string): ServeError {
  return new ServeError("invalid_argument", message, { reason: "bad_arguments" });
}

/** Whether another command line would help. */
export function isUsage({ reason, cause }: ServeError): boolean {
  return USAGE_REASONS.has(reason) || (reason === "file_unreadable" && faultCode(cause) === "ENOENT");
}

/** The options that a message names, by flag or by environment variable; undefined when it names none of the table. */
export function optionsNamedIn(message: string, table: OptionTable): OptionTable | undefined {
  const words = new Set(message.match(/--[a-z][a-z0-9-]*|\bSCONCE_[A-Z0-9_]+|(?<=^|\s)-o\b/g));
  const named = Object.entries(table).filter(
    ([name]) =>
      words.has(flagName(name)) || words.has(envName(name)) || (name === "output" && words.has("-o")),
  );
  return named.length === 0 ? undefined : Object.fromEntries(named);
}
