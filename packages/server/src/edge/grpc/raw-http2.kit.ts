import { once } from "node:events";
import { connect, type Socket } from "node:net";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8 } as const;
export const SETTING = { headerTableSize: 1, initialWindowSize: 4, maxFrameSize: 5 } as const;
const FRAME_HEAD_BYTES = 9;

export interface RawFrame {
  readonly type: number;
  readonly flags?: number;
  readonly stream?: number;
  readonly payload?: Uint8Array;
}

/** One frame of HTTP/2, as wrong as it is asked to be. */
export function frame({ type, flags = 0, stream = 0, payload = Buffer.alloc(0) }: RawFrame): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function settings(values: readonly (readonly [id: number, value: number])[]): Buffer {
  const pairs = values.map(([id, value]) => Buffer.concat([Buffer.from([0, id]), uint32(value)]));
  return frame({ type: FRAME.settings, payload: Buffer.concat(pairs) });
}

/** A header as HPACK writes it literally, `isIndexed`: into the dynamic table as well. */
export function literal(name: string, value: string, isIndexed = false): Buffer {
  const text = (raw: string): Buffer => {
    const bytes = Buffer.from(raw, "latin1");
    return Buffer.concat([integer(bytes.length, 7), bytes]);
  };
  return Buffer.concat([Buffer.from([isIndexed ? 0x40 : 0]), text(name), text(value)]);
}

/** HPACK's integer with a prefix of so many bits, all bits before it 0. */
function integer(value: number, bits: number): Buffer {
  const limit = 2 ** bits - 1;
  if (value < limit) return Buffer.from([value]);
  const bytes = [limit];
  let rest = value - limit;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** The header block of a proper call, with more after it. */
export function callHeaders(path: string, more: readonly (readonly [string, string])[] = []): Buffer {
  const pairs: (readonly [string, string])[] = [
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "localhost"],
    ["te", "trailers"],
    ["content-type", "application/grpc"],
    ...more,
  ];
  return Buffer.concat(pairs.map(([name, value]) => literal(name, value)));
}

/** A connection whose client writes what it likes. */
export interface RawConnection {
  readonly socket: Socket;
  /** What the server has sent so far. */
  readonly frames: Required<RawFrame>[];
  readonly isClosed: boolean;
  /** Resolves when it is on its way, or the connection is over. */
  write(bytes: Uint8Array): Promise<void>;
  /** Resolves when the server has read all that was written before, or the connection is over. */
  reached(): Promise<void>;
  /** The error codes of the server's GOAWAYs. */
  goaways(): number[];
}

/** Opens a connection with the preface and these settings. It reads, unless it is paused. */
export async function openRaw(port: number, first: Buffer = settings([])): Promise<RawConnection> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  const frames: Required<RawFrame>[] = [];
  let rest: Buffer = Buffer.alloc(0);
  let isClosed = false;
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => {
      isClosed = true;
      resolve();
    });
  });
  socket.on("data", (bytes: Buffer) => {
    rest = readFrames(Buffer.concat([rest, bytes]), frames);
  });
  await once(socket, "connect");
  socket.write(Buffer.concat([PREFACE, first]));
  let pings = 0;
  const write = async (bytes: Uint8Array): Promise<void> => {
    if (isClosed || socket.destroyed) return;
    if (!socket.write(bytes)) await Promise.race([once(socket, "drain").catch(() => {}), closed]);
  };
  return {
    socket,
    frames,
    get isClosed() {
      return isClosed;
    },
    write,
    async reached() {
      pings += 1;
      const payload = Buffer.concat([Buffer.from("ping"), uint32(pings)]);
      await write(frame({ type: FRAME.ping, payload }));
      while (!isClosed && !frames.some((one) => one.type === FRAME.ping && payload.equals(one.payload))) {
        await Promise.race([once(socket, "data").catch(() => {}), closed]);
      }
    },
    goaways: () =>
      frames
        .filter(({ type }) => type === FRAME.goaway)
        .map(({ payload }) => Buffer.from(payload).readUInt32BE(4)),
  };
}

/** Takes whole frames out of `bytes`; returns what is left. */
function readFrames(bytes: Buffer, into: Required<RawFrame>[]): Buffer {
  let at = 0;
  while (bytes.length - at >= FRAME_HEAD_BYTES) {
    const end = at + FRAME_HEAD_BYTES + bytes.readUIntBE(at, 3);
    if (bytes.length < end) break;
    into.push({
      type: bytes[at + 3]!,
      flags: bytes[at + 4]!,
      stream: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + FRAME_HEAD_BYTES, end),
    });
    at = end;
  }
  return bytes.subarray(at);
}
