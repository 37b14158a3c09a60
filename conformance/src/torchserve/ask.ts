import { createHash } from "node:crypto";
import { operationsOf, shapeOf } from "./json-shape.ts";
import type { Port, RecordedAnswer, RecordedCall } from "./recorded-call.ts";

/** Where the ports of a server are: `http://host:port`. */
export interface Addresses extends Readonly<Record<Port, string>> {
  /** For management; undefined: it asks for none. */
  readonly token?: string;
}

const TIMEOUT_MS = 120_000;
const MAX_KEPT_BYTES = 4000;

/** Sends a call, as often as it says; what is compared of the answers, in an order of their own. */
export async function ask(call: RecordedCall, addresses: Addresses): Promise<readonly RecordedAnswer[]> {
  const answers = await Promise.all(Array.from({ length: call.times ?? 1 }, () => askOnce(call, addresses)));
  return answers.sort((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));
}

async function askOnce(call: RecordedCall, { token, ...addresses }: Addresses): Promise<RecordedAnswer> {
  const { port, path, method, headers, body, closeness } = call;
  const response = await fetch(`${addresses[port]}${path}`, {
    method,
    headers: {
      ...headers,
      ...(port === "management" && token !== undefined && { authorization: `Bearer ${token}` }),
    },
    ...(body !== undefined && { body: body instanceof FormData ? body : new Uint8Array(body) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const { status } = response;
  if (closeness === "status") return { status };
  if (status === 200 && closeness === "shape")
    return { status, shape: shapeOf(JSON.parse(bytes.toString())) };
  if (status === 200 && closeness === "api")
    return { status, operations: operationsOf(JSON.parse(bytes.toString())) };
  const own = [...response.headers].filter(([name]) => name.startsWith("x-extra") || name.startsWith("ts_"));
  const type = response.headers.get("content-type") ?? "";
  return { status, type, headers: Object.fromEntries(own), body: bodyOf(bytes) };
}

function bodyOf(bytes: Buffer): NonNullable<RecordedAnswer["body"]> {
  if (bytes.length > MAX_KEPT_BYTES) return { sha256: createHash("sha256").update(bytes).digest("hex") };
  const text = bytes.toString();
  return Buffer.from(text).equals(bytes) ? text : { base64: bytes.toString("base64") };
}
