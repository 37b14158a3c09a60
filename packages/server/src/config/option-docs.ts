import { envName, fileKey, flagName, type OptionRow, type OptionTable } from "./option.ts";

function expected(row: OptionRow): string {
  switch (row.kind) {
    case "choice":
      return row.choices.join(" \\| ");
    case "flag":
      return "true, false";
    case "integer":
    case "number":
      return `${row.min} … ${row.max}`;
    case "count-or-auto":
      return `auto, ${row.min} … ${row.max}`;
    case "duration":
      return "duration (`250us`, `5ms`, `30s`)";
    case "bytes":
      return "size (`64MiB`, `2GB`)";
    case "integers":
      return "whole numbers, comma separated";
    case "texts":
      return "texts, comma separated";
    case "mapping":
      return "names to texts; on the command line YAML or JSON, or `a=text; b=text`";
    case "text":
      return "text";
  }
}

/** A default as a user would write it. */
export function shownDefault(row: OptionRow): string {
  if (row.default === null) return "–";
  if (Array.isArray(row.default)) return row.default.length === 0 ? "none" : row.default.join(",");
  const value = row.default;
  if (row.kind === "duration" && typeof value === "number") {
    return value >= 1000 && value % 1000 === 0 ? `${value / 1000}s` : `${value}ms`;
  }
  if (row.kind === "bytes" && typeof value === "number" && value % 2 ** 20 === 0)
    return `${value / 2 ** 20}MiB`;
  return String(value);
}

/** The table as Markdown, for docs/configuration.md. */
export function optionsMarkdown(table: OptionTable, options: { readonly env: boolean }): string {
  const head = options.env
    ? "| file key | flag | environment | values | default | what it does |\n|---|---|---|---|---|---|\n"
    : "| key | values | default | what it does |\n|---|---|---|---|\n";
  const rows = Object.entries(table).map(([name, row]) => {
    const names = options.env
      ? `\`${fileKey(name)}\` | \`${flagName(name)}\` | \`${envName(name)}\``
      : `\`${fileKey(name)}\``;
    return `| ${names} | ${expected(row)} | \`${shownDefault(row)}\` | ${row.doc} |`;
  });
  return `${head}${rows.join("\n")}\n`;
}

/** The table as text for `--help`, wrapped at `width` columns. */
export function optionsHelp(table: OptionTable, width = 100): string {
  const lines: string[] = [];
  for (const [name, row] of Object.entries(table)) {
    const choices = row.kind === "choice" ? row.choices.join("|") : "";
    const isLong = choices.length > MOST_CHOICE_COLUMNS;
    const value =
      row.kind === "flag" ? "" : ` ${choices === "" ? row.kind.toUpperCase() : isLong ? "WORD" : choices}`;
    const fallback = shownDefault(row);
    const head = `  ${flagName(name)}${value}`;
    const note = fallback === "–" ? "" : `(default ${fallback})`;
    if (note === "" || head.length + 2 + note.length <= width) {
      lines.push(note === "" ? head : `${head}  ${note}`);
    } else lines.push(head, `      ${note}`);
    const doc = isLong ? `${row.doc} Words: ${choices.replaceAll("|", ", ")}.` : row.doc;
    lines.push(indented(doc, 6, width));
  }
  return lines.join("\n");
}

/** A longer list of words stands below its option, where it can be broken. */
const MOST_CHOICE_COLUMNS = 50;

/** A text in lines of at most `width` columns, each after `indent` spaces. A word is never divided, so a long one may stand out. */
export function indented(text: string, indent: number, width: number): string {
  return wrap(text, width - indent)
    .map((line) => " ".repeat(indent) + line)
    .join("\n");
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  if (line !== "") lines.push(line);
  return lines;
}
