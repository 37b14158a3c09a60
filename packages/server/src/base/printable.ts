/** What a terminal acts on instead of showing it, and what turns the direction of text; line feeds and tabs left out. */
const CONTROLS =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A text that is safe on a terminal: control characters are spelled (`\x1b`). Lines and tabs stay. */
export function printable(text: string): string {
  return text.replace(CONTROLS, spelled);
}

/** The same on one line, for names and messages that came from elsewhere. */
export function oneLine(text: string): string {
  return printable(text).replace(/[\n\t]/g, spelled);
}

function spelled(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  const hex = character.charCodeAt(0).toString(16);
  return hex.length > 2 ? `\\u${hex.padStart(4, "0")}` : `\\x${hex.padStart(2, "0")}`;
}
