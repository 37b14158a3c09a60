import type { Expr } from "./source-ast.ts";

/** Names that stand for a value. */
export const NAMED: ReadonlyMap<string, { value: null | boolean | number; isFloat: boolean }> = new Map<
  string,
  { value: null | boolean | number; isFloat: boolean }
>([
  ["None", { value: null, isFloat: false }],
  ["True", { value: true, isFloat: false }],
  ["False", { value: false, isFloat: false }],
  ["inf", { value: Number.POSITIVE_INFINITY, isFloat: true }],
  ["nan", { value: Number.NaN, isFloat: true }],
]);

/** A complex number is not a value of the reader's: using one is an unsupported call. */
export const COMPLEX: Expr = {
  kind: "call",
  callee: { kind: "name", name: "complex" },
  args: [],
  kwargs: [],
};

/** A number as it is written; integers that a double cannot hold are bigints. */
export function number(text: string): Expr {
  const isFloat = !/^\d+$/.test(text);
  const value = Number(text);
  if (isFloat || Number.isSafeInteger(value)) return { kind: "constant", value, isFloat };
  return { kind: "constant", value: BigInt(text), isFloat };
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  "\\": "\\",
  '"': '"',
  "'": "'",
  a: "\x07",
  b: "\b",
  f: "\f",
  v: "\v",
};

/** The serializer writes bytes that are not ASCII as octal escapes: together they are UTF-8. */
export function unquote(literal: string): string {
  const plain = literal.slice(1, -1).replace(/\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|[\s\S])/g, (_, code: string) => {
    if (code.startsWith("x")) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    if (/^[0-7]/.test(code)) return String.fromCharCode(Number.parseInt(code, 8));
    return ESCAPES[code] ?? code;
  });
  const codes = Array.from(plain, (char) => char.codePointAt(0)!);
  const isBytes = codes.some((code) => code >= 0x80) && codes.every((code) => code <= 0xff);
  return isBytes ? new TextDecoder().decode(Uint8Array.from(codes)) : plain;
}
