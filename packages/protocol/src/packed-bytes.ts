import { ServeError } from "./serve-error.ts";

/** Packs elements as a BYTES tensor holds them: a uint32 little-endian length before each. */
export function packBytes(elements: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const element of elements) size += 4 + element.length;
  const packed = new Uint8Array(size);
  const view = new DataView(packed.buffer);
  let at = 0;
  for (const element of elements) {
    view.setUint32(at, element.length, true);
    packed.set(element, at + 4);
    at += 4 + element.length;
  }
  return packed;
}

/** The elements of a BYTES tensor, as views. Throws `invalid_argument` naming `field` when a length does not fit. */
export function unpackBytes(packed: Uint8Array, field: string): Uint8Array[] {
  return [...packedElements(packed, field)];
}

/** `unpackBytes` one by one: views on a million elements would cost more than the elements. */
export function* packedElements(packed: Uint8Array, field: string): Generator<Uint8Array, undefined, void> {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  let at = 0;
  for (let index = 0; at < packed.length; index++) {
    const start = at + 4;
    const end = start <= packed.length ? start + view.getUint32(at, true) : Number.POSITIVE_INFINITY;
    if (end > packed.length) {
      throw new ServeError(
        "invalid_argument",
        `${field}: BYTES element ${index} ends after the tensor's ${packed.length} bytes; each element is a uint32 ` +
          "little-endian length followed by that many bytes",
        { reason: "bad_bytes_tensor" },
      );
    }
    yield packed.subarray(start, end);
    at = end;
  }
}
