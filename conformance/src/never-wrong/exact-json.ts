/** Parses JSON; bare NaN and infinities, and integers that a double cannot hold, become strings. */
export function parseExactJson(text: string): unknown {
  return JSON.parse(text.replace(/(?<=[[,:]\s*)(NaN|-?Infinity|-?\d{16,})(?=\s*[\],}])/g, '"$1"'));
}
