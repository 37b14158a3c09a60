/** One metric family of a text exposition. */
interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  /** Names and labels of its samples. */
  readonly samples: { readonly name: string; readonly labels: readonly string[] }[];
}

const UNITS: Readonly<Record<string, string>> = {
  amperes: "amperes",
  bytes: "bytes",
  celsius: "celsius",
  grams: "grams",
  joules: "joules",
  kelvin: "kelvin",
  meters: "meters",
  seconds: "seconds",
  volts: "volts",
  minutes: "seconds",
  hours: "seconds",
  days: "seconds",
  weeks: "seconds",
  bits: "bytes",
};
const PREFIXES =
  /^(pico|nano|micro|milli|centi|deci|deca|hecto|kilo|kibi|mega|mebi|giga|gibi|tera|tebi|peta|pebi)/;
const ABBREVIATIONS = new Set("s ms us ns sec b kb mb gb tb pb m h d".split(" "));
const TYPES = ["counter", "gauge", "histogram", "summary"];

/** What `promtool check metrics` says of a text exposition, as far as its rules are about names, types and help: a line for each fault. */
export function lintMetrics(text: string): readonly string[] {
  const faults: string[] = [];
  const families = parseFamilies(text, faults);
  for (const family of families) {
    for (const fault of faultsOf(family)) faults.push(`${family.name} ${fault}`);
  }
  return faults;
}

function parseFamilies(text: string, faults: string[]): readonly Family[] {
  const families = new Map<string, Family>();
  let current: Family | undefined;
  let help: readonly [name: string, text: string] | undefined;
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const helped = /^# HELP (\S+) (.*)$/.exec(line);
    const typed = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (helped !== null) help = [helped[1]!, helped[2]!];
    else if (typed !== null) {
      const [, name = "", type = ""] = typed;
      if (families.has(name)) faults.push(`${name} comes twice`);
      current = { name, type, help: help?.[0] === name ? help[1] : "", samples: [] };
      families.set(name, current);
    } else {
      const sample = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (sample === null || Number.isNaN(Number(sample[3]!.replace("Inf", "Infinity").replace("NaN", "0"))))
        faults.push(`not a sample: ${line}`);
      else if (current === undefined || !belongs(sample[1]!, current))
        faults.push(`${sample[1]} has no TYPE before it`);
      else current.samples.push({ name: sample[1]!, labels: labelsOf(sample[2] ?? "") });
    }
  }
  return [...families.values()];
}

function belongs(name: string, { name: family, type }: Family): boolean {
  return name === family || (type === "histogram" && /^_(bucket|sum|count)$/.test(name.slice(family.length)));
}

function labelsOf(text: string): readonly string[] {
  return Array.from(text.matchAll(/([A-Za-z_]\w*)="(?:[^"\\]|\\.)*"/g), ([, label]) => label!);
}

function* faultsOf({ name, type, help, samples }: Family): Iterable<string> {
  const words = name.split("_");
  if (help === "") yield "has no help text";
  if (type === "counter" && !name.endsWith("_total")) yield 'is a counter and does not end in "_total"';
  if (type !== "counter" && name.endsWith("_total")) yield 'ends in "_total" and is no counter';
  if (type !== "histogram" && /_(bucket|count|sum)$/.test(name)) yield "ends as only parts of histograms do";
  if (name.includes(":")) yield "has a colon";
  if (/[a-z][A-Z]/.test(name)) yield "is in camelCase";
  for (const word of words) {
    if (ABBREVIATIONS.has(word)) yield `has the abbreviated unit ${word}`;
    if (TYPES.includes(word)) yield `says its type, ${word}`;
    const unit = UNITS[word] ?? UNITS[word.replace(PREFIXES, "")];
    if (unit !== undefined && unit !== word) yield `should use ${unit} instead of ${word}`;
  }
  for (const { labels } of samples) {
    if (new Set(labels).size < labels.length) yield "has a label twice";
    if (labels.some((label) => /[a-z][A-Z]/.test(label))) yield "has a label in camelCase";
    if (type !== "histogram" && labels.includes("le")) yield 'has a label "le" and is no histogram';
  }
}
