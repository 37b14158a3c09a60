import { ServeError } from "../base/errors.ts";
import { rejectChanges, type Settings } from "./observed-settings.ts";

/** Triton's trace settings, as requests see and may change them. */
export interface TraceSettings {
  current(): Settings;
  /**
   * Takes new values; null and no values stand for what held at the start, of a model for what holds for all. `model`: only for that one; undefined: for all.
   * Throws `invalid_argument`, and changes nothing then.
   */
  change(wanted: Iterable<readonly [name: string, value: unknown]>, model: string | undefined): void;
}

/** Which traces that begin here are recorded. */
export interface TraceSampler {
  /** This part of them, from 0 to 1; of those so many at most, undefined: without end. */
  sample(ratio: number, most: number | undefined): void;
}

const UNTRACED: Settings = {
  trace_level: ["OFF"],
  trace_rate: "1000",
  trace_count: "-1",
  log_frequency: "0",
  trace_file: "",
  trace_mode: "triton",
};
const ADVICE = "GET /metrics and the header Server-Timing say where requests spend their time";
const MOST = 2 ** 31 - 1;

/** Of a server whose traces are not for requests to change. */
export const FIXED_TRACE_SETTINGS: TraceSettings = {
  current: () => UNTRACED,
  change: (wanted) => rejectChanges(UNTRACED, wanted, ADVICE),
};

/**
 * Settings that requests change: level, rate and count. `ratio` is what the operator chose. Where traces go, and in which form, stays the operator's.
 */
export function adjustableTraceSettings(ratio: number, sampler: TraceSampler): TraceSettings {
  const atStart: Settings = {
    ...UNTRACED,
    trace_level: [ratio > 0 ? "TIMESTAMPS" : "OFF"],
    trace_rate: ratio > 0 ? String(Math.round(1 / ratio)) : "1000",
    trace_mode: "opentelemetry",
  };
  let current = atStart;
  return {
    current: () => current,
    change(wanted, model) {
      const given = [...wanted];
      if (given.length === 0) return;
      if (model !== undefined) {
        // Null stands for those of all models there, which it has in any case.
        rejectChanges(current, given, `they hold for all models: ask without the model "${model}"`);
        return;
      }
      const next: Record<string, Settings[string]> = { ...current };
      for (const [name, value] of given) next[name] = readSetting(name, value, { current, atStart });
      current = next;
      const isOn = String(next["trace_level"]) !== "OFF";
      const count = Number(next["trace_count"]);
      // The operator's ratio need not be one by a whole number.
      const rated = next["trace_rate"] === atStart["trace_rate"] && ratio > 0;
      sampler.sample(
        isOn ? (rated ? ratio : 1 / Number(next["trace_rate"])) : 0,
        count < 0 ? undefined : count,
      );
    },
  };
}

interface Known {
  readonly current: Settings;
  readonly atStart: Settings;
}

function readSetting(name: string, given: unknown, { current, atStart }: Known): Settings[string] {
  if (given === null && Object.hasOwn(atStart, name)) return atStart[name]!;
  const values = (Array.isArray(given) ? given : [given]).map(String);
  switch (name) {
    case "trace_level":
      if (values.length > 0 && values.every((value) => value === "OFF" || value === "TIMESTAMPS"))
        return values.includes("TIMESTAMPS") ? ["TIMESTAMPS"] : ["OFF"];
      throw bad(`${name}: expected OFF or TIMESTAMPS; tensors are not traced`);
    case "trace_rate":
      return count(name, values, 1);
    case "trace_count":
      return count(name, values, -1);
    default:
      // The exporter has its own rhythm, and the operator says where traces go.
      rejectChanges(current, [[name, given]], "the options --traces-… say where traces go");
      return current[name]!;
  }
}

function count(name: string, values: readonly string[], least: number): string {
  const [text = ""] = values;
  if (values.length === 1 && /^-?\d{1,10}$/.test(text) && Number(text) >= least && Number(text) <= MOST)
    return String(Number(text));
  throw bad(`${name}: expected one whole number, ${least} or more`);
}

function bad(message: string): ServeError {
  return new ServeError("invalid_argument", message, { reason: "bad_request" });
}
