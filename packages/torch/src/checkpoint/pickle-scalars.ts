import { ModelFileError } from "../errors.ts";

/** LONG1/LONG4: little-endian two's complement. A number where it is exact, else a bigint. */
export function integerFromBytes(bytes: Uint8Array): number | bigint {
  let value = 0n;
  for (let at = bytes.byteLength - 1; at >= 0; at -= 1) value = (value << 8n) | BigInt(bytes[at]!);
  return narrow(BigInt.asIntN(bytes.byteLength * 8, value));
}

/** INT and LONG: decimal digits; `01` and `00` are Python 1's booleans, a trailing L is Python 2's. */
export function integerFromText(text: string): number | bigint | boolean {
  if (text === "01") return true;
  if (text === "00") return false;
  const digits = text.endsWith("L") ? text.slice(0, -1) : text;
  if (!/^[+-]?\d+$/.test(digits))
    throw new ModelFileError("corrupt", "the pickle has an integer that is not a number");
  return narrow(BigInt(digits.replace(/^\+/, "")));
}

/** STRING: a quoted Python literal. Escapes other than quotes and backslashes stay as written: names need no others. */
export function stringFromText(text: string): string {
  const quote = text[0];
  const isQuoted = text.length >= 2 && (quote === "'" || quote === '"') && text.endsWith(quote);
  if (!isQuoted) throw new ModelFileError("corrupt", "the pickle has a string without quotes");
  return text.slice(1, -1).replace(/\\(['"\\])/g, "$1");
}

/** UNICODE: raw-unicode-escape. */
export function unicodeFromText(text: string): string {
  return text.replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (_, short?: string, long?: string) => {
    const code = Number.parseInt(short ?? long ?? "", 16);
    if (code > 0x10ffff) throw new ModelFileError("corrupt", "the pickle has a character out of range");
    return String.fromCodePoint(code);
  });
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
