import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { fromBinary } from "@bufbuild/protobuf";
import { ModelStreamInferResponseSchema } from "@sconce/protocol/messages";
import { timerDelayMs } from "../../base/clock.ts";
import type { ServerAccess } from "../server-access.ts";
import type { RequestBody } from "./request-body.ts";
import type { Reply, Sender } from "./sender.ts";

const HEAD_BYTES = 5;

export interface GrpcSenderOptions {
  readonly origin: string;
  readonly body: RequestBody;
  readonly timeoutMs: number;
  readonly access: ServerAccess;
}

/** A connection that makes the same call again and again. */
export function createGrpcSender({ origin, body, timeoutMs, access }: GrpcSenderOptions): Sender {
  const connection = createConnection(origin, access);
  const message = framed(body.bytes);
  return {
    send() {
      return new Promise<Reply>((resolve) => {
        const end = (outcome: string): void => resolve({ outcome, serverTiming: undefined });
        const stream = open(connection.session(), body.path, access);
        let status: string | undefined;
        const take = (headers: Readonly<Record<string, unknown>>): void => {
          const given = headers["grpc-status"];
          if (given !== undefined) status = String(given);
        };
        stream.on("response", take);
        stream.on("trailers", take);
        stream.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? "connection lost"));
        stream.on("close", () =>
          end(status === "0" ? "ok" : status === undefined ? "no status" : `grpc ${status}`),
        );
        stream.setTimeout(timerDelayMs(timeoutMs), () => {
          end("timeout");
          stream.close(constants.NGHTTP2_CANCEL);
        });
        stream.resume();
        stream.end(message);
      });
    },
    close: connection.close,
  };
}

/** A connection with one stream, on which a request follows the answer to the one before. */
export function createGrpcStreamSender({ origin, body, timeoutMs, access }: GrpcSenderOptions): Sender {
  const connection = createConnection(origin, access);
  const message = framed(body.bytes);
  let stream: ClientHttp2Stream | undefined;
  let waiting: ((outcome: string) => void) | undefined;
  const settle = (outcome: string): void => {
    waiting?.(outcome);
    waiting = undefined;
  };
  function opened(): ClientHttp2Stream {
    const made = open(connection.session(), body.path, access);
    let held: Buffer = Buffer.alloc(0);
    made.on("data", (chunk: Buffer) => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      if (held.length < HEAD_BYTES || held.length < HEAD_BYTES + held.readUInt32BE(1)) return;
      const end = HEAD_BYTES + held.readUInt32BE(1);
      const answer = fromBinary(ModelStreamInferResponseSchema, held.subarray(HEAD_BYTES, end));
      held = held.subarray(end);
      settle(answer.errorMessage === "" ? "ok" : "error on the stream");
    });
    const lost = (): void => {
      if (stream === made) stream = undefined;
      settle("stream ended");
    };
    made.on("error", lost);
    made.on("close", lost);
    made.setTimeout(timerDelayMs(timeoutMs), () => {
      settle("timeout");
      made.close(constants.NGHTTP2_CANCEL);
    });
    return made;
  }
  return {
    send() {
      return new Promise<Reply>((resolve) => {
        waiting = (outcome) => resolve({ outcome, serverTiming: undefined });
        stream ??= opened();
        stream.write(message);
      });
    },
    close: connection.close,
  };
}

interface Connection {
  /** The session, opened anew when the last one is gone. */
  session(): ClientHttp2Session;
  close(): void;
}

function createConnection(origin: string, { tls }: ServerAccess): Connection {
  let session: ClientHttp2Session | undefined;
  return {
    session() {
      if (session === undefined || session.closed || session.destroyed) {
        session = connect(origin, tls);
        // The streams on it report what happened.
        session.on("error", () => {});
      }
      return session;
    },
    close: () => session?.destroy(),
  };
}

function open(session: ClientHttp2Session, path: string, { headers }: ServerAccess): ClientHttp2Stream {
  return session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
}

function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(HEAD_BYTES + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, HEAD_BYTES);
  return frame;
}
