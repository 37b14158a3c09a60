/** What a scraper that takes this format names in `Accept`. */
export const OPEN_METRICS_TYPE = "application/openmetrics-text";

const HELP = /^# HELP (\S+) (.*)$/;
const TYPE = /^# TYPE (\S+) (\S+)$/;

/**
 * The same metrics as OpenMetrics 1.0 text: counters are named without their `_total`, numbers of `le` have a decimal point, quotes in help
 * are escaped, and the end is marked. A counter whose name does not end in `_total` is of unknown type there.
 */
export function openMetrics(prometheusText: string): string {
  const lines: string[] = [];
  let help = "";
  for (const line of prometheusText.split("\n")) {
    if (line === "") continue;
    const [, helped, words] = HELP.exec(line) ?? [];
    if (helped !== undefined) {
      help = words!.replaceAll('"', '\\"');
      continue;
    }
    const [, name, kind] = TYPE.exec(line) ?? [];
    if (name === undefined) lines.push(withDecimalPoint(line));
    else lines.push(...head(name, kind!, help));
  }
  lines.push("# EOF", "");
  return lines.join("\n");
}

function head(name: string, kind: string, help: string): readonly string[] {
  const isTotal = name.endsWith("_total");
  const family = kind === "counter" && isTotal ? name.slice(0, -"_total".length) : name;
  const type = kind === "counter" && !isTotal ? "unknown" : kind;
  return [`# TYPE ${family} ${type}`, `# HELP ${family} ${help}`];
}

function withDecimalPoint(sample: string): string {
  return sample.replace(/([{,]le=")(\d+)"/, '$1$2.0"');
}
