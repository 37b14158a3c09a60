/** What pino writes on each line; everything else on it is a field. */
const OWN_FIELDS: ReadonlySet<string> = new Set(["level", "time", "msg"]);

interface Level {
  readonly name: string;
  /** Of the terminal's sixteen colours. */
  readonly colour: number;
}

const LEVELS: ReadonlyMap<number, Level> = new Map([
  [20, { name: "debug", colour: 90 }],
  [30, { name: "info", colour: 36 }],
  [40, { name: "warn", colour: 33 }],
  [50, { name: "error", colour: 31 }],
]);

/** How a line of the log looks to people. `shown` makes a text safe for the terminal. */
export interface LineStyle {
  readonly isColoured: boolean;
  /** Of the terminal; longer lines go on below their message. Undefined: lines stay whole. */
  readonly columns?: number | undefined;
  shown(text: string): string;
}

/** A line of JSON of the log for people: time, level, message, then the other fields. A line that is no such JSON comes back as it is. */
export function readableLine(line: string, { isColoured, shown, columns }: LineStyle): string {
  const record = parsed(line);
  if (record === undefined) return shown(line);
  const level = LEVELS.get(Number(record["level"])) ?? { name: String(record["level"]), colour: 0 };
  const paint = (text: string, colour: number): string =>
    isColoured && colour !== 0 ? `\x1b[${colour}m${text}\x1b[0m` : text;
  const fields = Object.entries(record).filter(([name]) => !OWN_FIELDS.has(name));
  const words = [
    ...shown(String(record["msg"] ?? ""))
      .split(" ")
      .map((text) => ({ text, colour: 0 })),
    ...fields.map(([name, value]) => ({ text: shown(`${name}=${fieldText(value)}`), colour: 90 })),
  ];
  const head = `${timeOfDay(record["time"])} ${paint(level.name.padEnd(5), level.colour)}`;
  const rows = inRows(words, columns === undefined ? undefined : columns - HEAD_COLUMNS);
  const body = rows.map((row) => row.map(({ text, colour }) => paint(text, colour)).join(" "));
  return `${head} ${body.join(`\n${" ".repeat(HEAD_COLUMNS)}`)}\n`;
}

/** `13:04:05 info `: what stands before the message. */
const HEAD_COLUMNS = 15;

/** Rows no longer than so many columns, where words allow that. */
function inRows<W extends { readonly text: string }>(
  words: readonly W[],
  columns: number = Number.POSITIVE_INFINITY,
): W[][] {
  const rows: W[][] = [[]];
  let length = -1;
  for (const word of words) {
    length += 1 + word.text.length;
    if (length > columns && rows.at(-1)!.length > 0) {
      rows.push([]);
      length = word.text.length;
    }
    rows.at(-1)!.push(word);
  }
  return rows;
}

function parsed(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isRecord = typeof value === "object" && value !== null && "level" in value;
    return isRecord ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    // Whoever wrote it wrote no JSON.
    return undefined;
  }
}

function timeOfDay(time: unknown): string {
  const date = new Date(String(time));
  const two = (part: number): string => String(part).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** An error by its words: whoever needs its stack asks for JSON. */
function fieldText(value: unknown): string {
  if (typeof value === "string") return /[\s="]/.test(value) ? JSON.stringify(value) : value;
  const isError = typeof value === "object" && value !== null && "message" in value;
  return JSON.stringify(isError ? value.message : value, (_, part: unknown) => shortNumber(part));
}

/** People read milliseconds, not their billionths. */
function shortNumber(value: unknown): unknown {
  const isLong = typeof value === "number" && Number.isFinite(value) && !Number.isInteger(value);
  return isLong ? Number(value.toFixed(2)) || Number(value.toPrecision(3)) : value;
}
