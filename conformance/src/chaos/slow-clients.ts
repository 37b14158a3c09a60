import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { encodeInfer } from "./grpc-transport.ts";

const STEP_BYTES = 1024;
const STEP_MS = 1_000;
const COME_BACK_STEPS = 5;
const REFUSED = "HTTP/1.1 503";

/** One connection that is in no hurry. */
export interface SlowConnection {
  /** Takes or sends the next KiB. */
  step(): void;
  /** Bytes of answers that were taken. */
  readonly takenBytes: number;
  readonly isOpen: boolean;
  close(): void;
}

export interface SlowClients {
  /** Connections that were cut off or refused, so far. */
  ended(): number;
  /** Those, and the ones that have taken something of an answer. */
  reached(): number;
  stop(): void;
}

/** `count` connections, a KiB a second each. A client that is cut off or rejected comes back after a while. */
export function startSlowClients(count: number, open: (index: number) => SlowConnection): SlowClients {
  const connections = Array.from({ length: count }, (_, index) => open(index));
  const idleSteps = new Array<number>(count).fill(0);
  let ended = 0;
  const step = (connection: SlowConnection, index: number): void => {
    if (connection.isOpen) {
      connection.step();
      return;
    }
    idleSteps[index]! += 1;
    if (idleSteps[index] !== COME_BACK_STEPS) return;
    idleSteps[index] = 0;
    ended += 1;
    connection.close();
    connections[index] = open(index);
  };
  const timer = setInterval(() => connections.forEach(step), STEP_MS);
  return {
    ended: () => ended + connections.filter(({ isOpen }) => !isOpen).length,
    reached: () => ended + connections.filter(({ isOpen, takenBytes }) => !isOpen || takenBytes > 0).length,
    stop() {
      clearInterval(timer);
      for (const connection of connections) connection.close();
    },
  };
}

/** What a slow client asks for. */
export interface SlowAsk {
  readonly url: string;
  readonly model: string;
  readonly row: Uint8Array;
}

/** Asks over REST and reads the answer slowly. */
export function slowRestReader({ url, model, row }: SlowAsk): SlowConnection {
  const input = `{"name":"x","datatype":"UINT8","shape":[1,${row.length}],"data":[${row.join(",")}]}`;
  const body = `{"inputs":[${input}],"parameters":{"binary_data_output":true}}`;
  return restConnection(url, {
    first: `${restHead(model, body.length)}${body}`,
    step: "",
  });
}

/** Announces a large body over REST and sends it slowly. */
export function slowRestWriter({ url, model }: SlowAsk, bodyBytes: number): SlowConnection {
  return restConnection(url, { first: restHead(model, bodyBytes), step: " ".repeat(STEP_BYTES) });
}

function restHead(model: string, length: number): string {
  return `POST /v2/models/${model}/infer HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${length}\r\n\r\n`;
}

function restConnection(
  url: string,
  { first, step }: { readonly first: string; readonly step: string },
): SlowConnection {
  const { hostname, port } = new URL(url);
  const socket: Socket = connect({ host: hostname, port: Number(port) });
  let takenBytes = 0;
  let isRefused = false;
  socket.on("error", () => {});
  socket.write(first);
  return {
    step() {
      const bytes = (socket.read(STEP_BYTES) ?? socket.read()) as Buffer | null;
      if (takenBytes === 0) isRefused = bytes?.toString("latin1", 0, REFUSED.length) === REFUSED;
      takenBytes += bytes?.length ?? 0;
      if (step !== "" && socket.writable) socket.write(step);
    },
    get takenBytes() {
      return takenBytes;
    },
    // A server that closes shows only to a client that reads on; what was sent to it then comes back as an error.
    get isOpen() {
      return !isRefused && !socket.destroyed && !socket.readableEnded;
    },
    close: () => void socket.destroy(),
  };
}

/** Asks over gRPC and reads the answer slowly. */
export function slowGrpcReader({ url, model, row }: SlowAsk): SlowConnection {
  return grpcConnection(url, { first: framed(encodeInfer({ model, rows: [row] })), isWhole: true });
}

/** Announces a large message over gRPC and sends it slowly. */
export function slowGrpcWriter({ url }: SlowAsk, messageBytes: number): SlowConnection {
  return grpcConnection(url, { first: prefixOf(messageBytes), isWhole: false });
}

function prefixOf(length: number): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(length, 1);
  return prefix;
}

function framed(message: Buffer): Buffer {
  return Buffer.concat([prefixOf(message.length), message]);
}

function grpcConnection(
  url: string,
  { first, isWhole }: { readonly first: Buffer; readonly isWhole: boolean },
): SlowConnection {
  const session = connectHttp2(url);
  const stream = session.request({
    ":method": "POST",
    ":path": "/inference.GRPCInferenceService/ModelInfer",
    "content-type": "application/grpc",
    te: "trailers",
  });
  let takenBytes = 0;
  session.on("error", () => {});
  stream.on("error", () => {});
  if (isWhole) stream.end(first);
  else stream.write(first);
  return {
    step() {
      takenBytes += ((stream.read(STEP_BYTES) ?? stream.read()) as Buffer | null)?.length ?? 0;
      if (!isWhole && stream.writable) stream.write(Buffer.alloc(STEP_BYTES));
    },
    get takenBytes() {
      return takenBytes;
    },
    get isOpen() {
      return !stream.destroyed && !stream.readableEnded && !session.destroyed;
    },
    close: () => session.destroy(),
  };
}
