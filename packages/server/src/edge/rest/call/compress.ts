import { promisify } from "node:util";
import { constants, deflate, gzip } from "node:zlib";

const gzipAsync = promisify(gzip);
const deflateAsync = promisify(deflate);

export type Encoding = "gzip" | "deflate";

export interface Compressed {
  readonly encoding: Encoding;
  readonly body: Buffer;
}

/** Compresses a response as the client's `Accept-Encoding` allows, off this thread; undefined when it allows neither gzip nor deflate. */
export async function compress(
  parts: readonly Uint8Array[],
  acceptEncoding: string | string[],
): Promise<Compressed | undefined> {
  const encoding = chooseEncoding(String(acceptEncoding));
  if (encoding === undefined) return undefined;
  const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  return { encoding, body: await pack(whole, encoding) };
}

export function pack(bytes: Uint8Array, encoding: Encoding): Promise<Buffer> {
  const options = { level: constants.Z_BEST_SPEED };
  return encoding === "gzip" ? gzipAsync(bytes, options) : deflateAsync(bytes, options);
}

/** The first of gzip and deflate that the header names without `q=0` (RFC 9110 §12.5.3). */
export function chooseEncoding(acceptEncoding: string): Encoding | undefined {
  const accepted = new Set<string>();
  for (const item of acceptEncoding.toLowerCase().split(",")) {
    const [coding = "", ...parameters] = item.split(";").map((part) => part.trim());
    const rejected = parameters.some((parameter) => /^q=0(\.0{0,3})?$/.test(parameter));
    if (!rejected) accepted.add(coding);
  }
  if (accepted.has("gzip") || accepted.has("*")) return "gzip";
  return accepted.has("deflate") ? "deflate" : undefined;
}
