/** A word that every shell takes as it is. */
const PLAIN = /^[A-Za-z0-9_./:@%+,-]+$/;

/** A text as one word of a POSIX shell, whatever is in it; plain words stay as they are. */
export function shellWord(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
