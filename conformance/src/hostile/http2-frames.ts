import { connect as connectHttp2 } from "node:http2";
import type { Target } from "./attack.ts";

/** What a client says first (RFC 9113 §3.4), with empty settings. */
export const PREFACE: Buffer = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1"),
  frame({ type: 4 }),
]);

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
} as const;
export const END_STREAM = 1;
export const END_HEADERS = 4;

interface Frame {
  readonly type: number;
  readonly flags?: number;
  readonly stream?: number;
  readonly payload?: Buffer;
}

/** A frame of HTTP/2, right or wrong. */
export function frame({ type, flags = 0, stream = 0, payload = Buffer.alloc(0) }: Frame): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header block without Huffman codes or tables: literals with names, never indexed. */
export function headerBlock(headers: ReadonlyArray<readonly [string, string]>): Buffer {
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.from([0x10]), text(name), text(value)]));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, "latin1");
  return Buffer.concat([integer(bytes.length, 7), bytes]);
}

/** HPACK's integer with a prefix of so many bits (RFC 7541 §5.1). */
export function integer(value: number, bits: number): Buffer {
  const most = 2 ** bits - 1;
  if (value < most) return Buffer.from([value]);
  const bytes = [most];
  let rest = value - most;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

/** The headers of a call of ModelInfer. */
export function callHeaders({ port, entry }: Target): ReadonlyArray<readonly [string, string]> {
  const key: ReadonlyArray<readonly [string, string]> =
    entry?.key === undefined ? [] : [["authorization", `Bearer ${entry.key}`]];
  return [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", "/inference.GRPCInferenceService/ModelInfer"],
    [":authority", `127.0.0.1:${port}`],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
    ...key,
  ];
}

interface RawCall {
  readonly message: Buffer;
  readonly isCompressed?: boolean;
  /** What its prefix says of its length, if not the truth. */
  readonly announced?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends one message to ModelInfer as it is; the gRPC status, or what happened to the stream. */
export function grpcCall(
  target: Target,
  { message, isCompressed = false, announced, headers }: RawCall,
): Promise<string> {
  const session = connectHttp2(target.url, { ca: target.entry?.ca });
  return new Promise<string>((resolve) => {
    session.on("error", (error) => resolve(error.message));
    const coding = isCompressed ? { "grpc-encoding": "gzip" } : {};
    const stream = session.request({ ...Object.fromEntries(callHeaders(target)), ...coding, ...headers });
    const take = (fields: object): void => {
      const status = (fields as Record<string, string | undefined>)["grpc-status"];
      if (status !== undefined) resolve(status);
    };
    stream.on("response", take);
    stream.on("trailers", take);
    stream.on("error", (error) => resolve(error.message));
    stream.on("close", () => resolve("closed without a status"));
    stream.resume();
    const prefix = Buffer.alloc(5);
    prefix[0] = isCompressed ? 1 : 0;
    prefix.writeUInt32BE(announced ?? message.length, 1);
    stream.end(Buffer.concat([prefix, message]));
  })
    .finally(() => session.destroy())
    .then((grpcStatus) => {
      target.onHeard?.({ grpcStatus });
      return grpcStatus;
    });
}
