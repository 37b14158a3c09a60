/**
 * The metrics of a page in Prometheus' or OpenMetrics' text format that have one of these names, or a sample of such a name: whole
 * families with their help and type, of the others the samples that are named.
 */
export function selectMetrics(page: string, names: ReadonlySet<string>): string {
  let selected = "";
  // What says of a family what it is goes before its first sample.
  let head = "";
  let family = "";
  for (let start = 0; start < page.length; ) {
    const end = endOfLine(page, start);
    const line = page.slice(start, end);
    start = end;
    if (line.startsWith("# EOF")) {
      selected += line;
    } else if (line.startsWith("#")) {
      const name = wordOf(line, line.indexOf(" ", 2) + 1);
      if (name !== family) head = "";
      family = name;
      head += line;
    } else if (names.has(family) || names.has(wordOf(line, 0))) {
      selected += head + line;
      head = "";
    }
  }
  return selected;
}

function endOfLine(page: string, start: number): number {
  const found = page.indexOf("\n", start);
  return found < 0 ? page.length : found + 1;
}

/** The name that begins there. */
function wordOf(line: string, start: number): string {
  let end = start;
  while (end < line.length && !" {\n".includes(line[end]!)) end++;
  return line.slice(start, end);
}
