import { count, rejectInput } from "./reject-input.ts";

/** BYTES: each element is a little-endian uint32 length and that many bytes, nothing before, between or after. */
export function checkStrings(name: string, bytes: Uint8Array, elements: number, maxBytes: number): void {
  let at = 0;
  let found = 0;
  while (at < bytes.length) {
    if (found === elements) {
      rejectInput(`input "${name}": the data goes on after the last of ${count(elements, "element")}`);
    }
    if (at + 4 > bytes.length)
      rejectInput(`input "${name}": the data ends inside the length of element ${found}`);
    const length =
      (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
    at += 4;
    if (length > maxBytes) {
      rejectInput(`input "${name}": element ${found} has ${length} bytes, the limit is ${maxBytes}`);
    }
    if (at + length > bytes.length) {
      rejectInput(
        `input "${name}": element ${found} claims ${count(length, "byte")}, but ${bytes.length - at} are left`,
      );
    }
    at += length;
    found += 1;
  }
  if (found !== elements) {
    rejectInput(`input "${name}": the data has ${count(found, "element")}, expected ${elements}`);
  }
}
