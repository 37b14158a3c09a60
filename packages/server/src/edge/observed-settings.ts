import { ServeError } from "../base/errors.ts";

/** A setting's value; null stands for "as it was at the start", which it always is. */
export type SettingValue = string | number | boolean | readonly string[] | null;
export type Settings = Readonly<Record<string, SettingValue>>;

const LEVELS = ["trace", "debug", "info", "warn", "error"];

/** Triton's log settings for what `--log-level` says. */
export function logSettings(level: string): Settings {
  const least = LEVELS.indexOf(level);
  const isOn = (name: string): boolean => least >= 0 && LEVELS.indexOf(name) >= least;
  return {
    log_file: "",
    log_info: isOn("info"),
    log_warning: isOn("warn"),
    log_error: isOn("error"),
    log_verbose_level: isOn("debug") ? 1 : 0,
    log_format: "ISO8601",
  };
}

/** Lets pass what is so already; throws `invalid_argument` for a change, with what to do in place of it, and for what is no setting. */
export function rejectChanges(
  current: Settings,
  wanted: Iterable<readonly [name: string, value: unknown]>,
  instead: string,
): void {
  for (const [name, value] of wanted) {
    if (!Object.hasOwn(current, name)) {
      throw new ServeError("invalid_argument", `${name.slice(0, 64)}: there is no such setting`, {
        reason: "bad_request",
      });
    }
    if (value === null || plain(value) === plain(current[name])) continue;
    throw new ServeError("invalid_argument", `${name}: this is not changed by request; ${instead}`, {
      reason: "unsupported_extension",
    });
  }
}

/** A list of one is as good as what is in it, and a number as good as its text. */
function plain(value: unknown): string {
  return Array.isArray(value) ? value.map(String).join() : String(value);
}

export const LOG_ADVICE = "start the server with --log-level";
