import { ServeError } from "../../base/errors.ts";

/** How hard one measurement presses: connections that are always busy, or requests that arrive on their own. */
export type LoadLevel =
  | { readonly kind: "closed"; readonly connections: number }
  | { readonly kind: "open"; readonly rate: number; readonly connections: number };

const STEPS = 5;
const MAX_LEVELS = 100;
const MAX_CONNECTIONS = 10_000;
const MAX_RATE = 1_000_000;

/** The measurements that `--connections` and `--rate` ask for. Throws ServeError `bad_option`. */
export function loadLevels({
  connections,
  rate,
}: {
  readonly connections: string;
  readonly rate: string | undefined;
}): readonly LoadLevel[] {
  const counts = numbers("--connections", connections, MAX_CONNECTIONS).map(Math.round);
  if (rate === undefined) return counts.map((count) => ({ kind: "closed", connections: count }));
  const most = Math.max(...counts);
  return numbers("--rate", rate, MAX_RATE).map((each) => ({ kind: "open", rate: each, connections: most }));
}

/** The level in a few words. */
export function levelText(level: LoadLevel): string {
  return level.kind === "closed" ? `${level.connections} conn` : `${Math.round(level.rate * 10) / 10}/s`;
}

function numbers(label: string, text: string, max: number): number[] {
  const range = /^(\d{1,9})\.\.(\d{1,9})$/.exec(text.trim());
  const values = range === null ? text.split(",").map(Number) : steps(Number(range[1]), Number(range[2]));
  const isFine = values.every((value) => value > 0 && value <= max) && values.length <= MAX_LEVELS;
  if (isFine) return values;
  const shown = JSON.stringify(text.slice(0, 80));
  throw new ServeError(
    "invalid_argument",
    `${label}: expected a number, several with commas, or FROM..TO, each above 0 and at most ${max}, got ${shown}`,
    { reason: "bad_option" },
  );
}

/** Equal ratios: latency bends near the limit, and a limit is met at any scale. */
function steps(from: number, to: number): number[] {
  const ratio = (to / from) ** (1 / (STEPS - 1));
  return Array.from({ length: STEPS }, (_, i) => (i === STEPS - 1 ? to : Math.round(from * ratio ** i)));
}

/** `10%` as 0.1. Throws ServeError `bad_option`. */
export function parseShare(label: string, text: string): number {
  const percent = Number(/^(\d{1,3}(?:\.\d{1,3})?)\s*%$/.exec(text.trim())?.[1] ?? Number.NaN);
  if (percent > 0 && percent <= 100) return percent / 100;
  throw new ServeError(
    "invalid_argument",
    `${label}: expected a percentage such as 10%, got ${JSON.stringify(text)}`,
    {
      reason: "bad_option",
    },
  );
}
