import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ModelInferRequestSchema, ModelStreamInferResponseSchema } from "@sconce/protocol/messages";

const PATH = "/inference.GRPCInferenceService/ModelStreamInfer";
const PREFIX_BYTES = 5;

/** What came for one message: numbers, or the words of an error. */
export type StreamAnswer =
  | { readonly id: string; readonly values: Float32Array }
  | { readonly id: string; readonly error: string };

export interface SumRequest {
  readonly model: string;
  readonly x: number;
  readonly id?: string;
  readonly sequence?: { readonly id: string; readonly start?: boolean; readonly end?: boolean };
}

/** One connection for many streams. */
export function connectStreams(authority: string): ClientHttp2Session {
  const session = connect(`http://${authority}`, { settings: { enablePush: false } });
  session.setMaxListeners(0);
  return session;
}

/** A `ModelStreamInfer` call over a connection of its own choice; `onAnswer` is told of each message as it comes. */
export class InferStream {
  readonly #stream: ClientHttp2Stream;
  readonly #ended: Promise<string>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(session: ClientHttp2Session, onAnswer: (answer: StreamAnswer) => void) {
    const stream = session.request({
      ":method": "POST",
      ":path": PATH,
      "content-type": "application/grpc",
      te: "trailers",
    });
    this.#stream = stream;
    let status = "";
    stream.on("trailers", (trailers) => {
      status = String(trailers["grpc-status"] ?? "");
    });
    stream.on("response", (headers) => {
      status = String(headers["grpc-status"] ?? status);
    });
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => this.#take(chunk, onAnswer));
    this.#ended = new Promise((resolve) => stream.on("close", () => resolve(status)));
  }

  send(request: SumRequest): void {
    this.#stream.write(framed(request));
  }

  /** Half-closes; resolves with the call's status when the server has ended it. */
  end(): Promise<string> {
    this.#stream.end();
    return this.#ended;
  }

  /** Stops reading until `resume`. */
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  #take(chunk: Buffer, onAnswer: (answer: StreamAnswer) => void): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (bytes.length >= PREFIX_BYTES) {
      const end = PREFIX_BYTES + bytes.readUInt32BE(1);
      if (bytes.length < end) break;
      onAnswer(answerOf(bytes.subarray(PREFIX_BYTES, end)));
      bytes = bytes.subarray(end);
    }
    this.#rest = bytes;
  }
}

function framed({ model: modelName, x, id = "", sequence }: SumRequest): Buffer {
  const flag = (value: boolean) => ({ parameterChoice: { case: "boolParam" as const, value } });
  const parameters =
    sequence === undefined
      ? {}
      : {
          sequence_id: { parameterChoice: { case: "stringParam" as const, value: sequence.id } },
          ...(sequence.start === true && { sequence_start: flag(true) }),
          ...(sequence.end === true && { sequence_end: flag(true) }),
        };
  const message = toBinary(
    ModelInferRequestSchema,
    create(ModelInferRequestSchema, {
      modelName,
      id,
      parameters,
      inputs: [{ name: "x", datatype: "FP32", shape: [1n, 1n] }],
      rawInputContents: [new Uint8Array(new Float32Array([x]).buffer)],
    }),
  );
  const frame = Buffer.alloc(PREFIX_BYTES + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

function answerOf(bytes: Uint8Array): StreamAnswer {
  const { errorMessage, inferResponse } = fromBinary(ModelStreamInferResponseSchema, bytes);
  const id = inferResponse?.id ?? "";
  if (errorMessage !== "") return { id, error: errorMessage };
  const raw = Uint8Array.from(inferResponse?.rawOutputContents[0] ?? []);
  return { id, values: new Float32Array(raw.buffer) };
}
