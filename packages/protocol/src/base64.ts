const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const PAD = 0x3d;

const VALUES = new Int8Array(256).fill(-1);
for (let i = 0; i < ALPHABET.length; i++) VALUES[ALPHABET.charCodeAt(i)] = i;
VALUES["-".charCodeAt(0)] = 62;
VALUES["_".charCodeAt(0)] = 63;

/** Decodes base64 or base64url text, padded or not (RFC 4648 §4, §5); undefined when it is neither. */
export function decodeBase64(text: Uint8Array): Uint8Array | undefined {
  let { length } = text;
  while (length > 0 && text[length - 1] === PAD && text.length - length < 2) length--;
  if (length % 4 === 1 || (length < text.length && text.length % 4 !== 0)) return undefined;
  const decoded = new Uint8Array(Math.floor((length * 3) / 4));
  let bits = 0;
  let at = 0;
  for (let i = 0; i < length; i++) {
    const value = VALUES[text[i]!]!;
    if (value < 0) return undefined;
    bits = ((bits << 6) | value) & 0xffffff;
    if ((i & 3) === 1) decoded[at++] = bits >>> 4;
    else if ((i & 3) === 2) decoded[at++] = bits >>> 2;
    else if ((i & 3) === 3) decoded[at++] = bits;
  }
  return decoded;
}

/** Base64 text (RFC 4648 §4, padded). */
export function encodeBase64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const bits = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += ALPHABET[bits >>> 18]! + ALPHABET[(bits >>> 12) & 63]!;
    text += (left > 1 ? ALPHABET[(bits >>> 6) & 63]! : "=") + (left > 2 ? ALPHABET[bits & 63]! : "=");
  }
  return text;
}
