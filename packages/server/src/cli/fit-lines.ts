/** Columns that must be left for the words of a line that goes on below itself. */
const LEAST_ROOM = 20;

/**
 * Breaks the lines of a text that are longer than a terminal is wide, between words; they go on under the word behind their label. Without
 * `columns`, as where nobody looks, they stay as they are. What has no place to break stays whole: an address is for pasting.
 */
export function fitLines(text: string, columns: number | undefined): string {
  if (columns === undefined) return text;
  return text
    .split("\n")
    .map((line) => (line.length <= columns ? line : fitted(line, columns)))
    .join("\n");
}

function fitted(line: string, columns: number): string {
  const [label] = /^ *(?:\S+(?: \S+)?(?: {2,}|: ))?(?: *\d* {2,})?/.exec(line)!;
  const indent = columns - label.length >= LEAST_ROOM ? label.length : 0;
  const lines: string[] = [];
  let current = line.slice(0, indent);
  let isEmpty = true;
  for (const word of line.slice(indent).split(" ")) {
    if (!isEmpty && current.length + 1 + word.length > columns) {
      lines.push(current.trimEnd());
      current = " ".repeat(indent) + word;
    } else {
      current += isEmpty ? word : ` ${word}`;
    }
    isEmpty = false;
  }
  return [...lines, current].join("\n");
}
