/** Parts of a name; deeper than any layout of models. */
const MAX_PARTS = 16;
/** What file systems take. */
const MAX_PART_BYTES = 255;
/** Control characters, what Windows reads as a separator, a drive or a device, and what cannot be written as UTF-8. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not come in
const FORBIDDEN = /[\u0000-\u001f\u007f\\:\ufffd]|\p{Surrogate}/u;

/**
 * A store's name of an object as the path of a file below a folder, its parts joined by `/`; undefined where it would be none: absolute, with `..`, empty
 * parts or control characters, too long or too deep.
 */
export function localName(key: string): string | undefined {
  const parts = key.split("/");
  if (parts.length > MAX_PARTS || !parts.every(isPlainPart)) return undefined;
  return key;
}

function isPlainPart(part: string): boolean {
  if (part === "" || part === "." || part === ".." || FORBIDDEN.test(part)) return false;
  return Buffer.byteLength(part) <= MAX_PART_BYTES;
}

/** Whether an object only stands for a folder, or is hidden, which the repository does not read either. */
export function isLeftOut(key: string): boolean {
  return key === "" || key.endsWith("/") || key.split("/").some((part) => /^\.[^./]/.test(part));
}
