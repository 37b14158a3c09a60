import { createServer } from "node:http";
import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  type ClientOptions,
  credentials,
  Metadata,
  type ServiceError,
  type StatusObject,
} from "@grpc/grpc-js";
import { systemClock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { createAdminGate } from "../../gate/admin-gate.ts";
import { createByteBudget } from "../../gate/byte-budget.ts";
import { createSlowClientGuard } from "../../gate/slow-client-guard.ts";
import type { InferenceOutcome } from "../inference-metrics.ts";
import { createListener } from "../listener.ts";
import { createGrpcEdge, type GrpcEdge, type GrpcEdgeOptions } from "./grpc-edge.ts";
import { DEFAULT_GRPC_LIMITS, type GrpcLimits } from "./grpc-limits.ts";
import { type MemoryInference, memoryInference } from "./memory-inference.kit.ts";

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

export interface UnaryResult<T> {
  readonly answer: T;
  readonly trailers: Metadata;
}

export interface GrpcRig {
  readonly port: number;
  readonly edge: GrpcEdge;
  readonly inference: MemoryInference;
  readonly outcomes: InferenceOutcome[];
  readonly client: Client;
  /** One call with one response; rejects with grpc-js's ServiceError. */
  unary<I extends DescMessage, O extends DescMessage>(
    path: string,
    types: readonly [I, O],
    message: MessageShape<I> | Buffer,
    options?: { readonly headers?: Record<string, string>; readonly call?: CallOptions },
  ): Promise<UnaryResult<MessageShape<O>>>;
  stream<I extends DescMessage, O extends DescMessage>(
    path: string,
    types: readonly [I, O],
    headers?: Record<string, string>,
  ): ClientDuplexStream<MessageShape<I> | Buffer, MessageShape<O>>;
}

export interface RigOptions {
  readonly limits?: Partial<GrpcLimits>;
  readonly client?: ClientOptions;
  readonly edge?: Partial<GrpcEdgeOptions>;
}

function bytesOf<I extends DescMessage>(schema: I): (message: MessageShape<I> | Buffer) => Buffer {
  return (message) => (Buffer.isBuffer(message) ? message : Buffer.from(toBinary(schema, message)));
}

function metadataOf(headers: Record<string, string> = {}): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
  return metadata;
}

/** A gRPC edge behind a listener on a free port, with a real client; everything is closed after `body`. */
export async function withGrpc(options: RigOptions, body: (rig: GrpcRig) => Promise<void>): Promise<void> {
  const inference = memoryInference();
  const outcomes: InferenceOutcome[] = [];
  const budget = createByteBudget({ maxBytes: 1024 ** 3, maxRequests: 10_000 });
  const edge = createGrpcEdge({
    inference,
    administration: {
      loadModel: async () => {},
      unloadModel: async () => {},
      steerRollout: async () => {},
      setDefaultVersion: () => {},
    },
    adminGate: createAdminGate({ isOn: false, token: undefined }),
    clock: systemClock,
    logger: silent,
    budget,
    slowClients: createSlowClientGuard(systemClock),
    observer: { observe: (outcome) => outcomes.push(outcome), forget: () => {} },
    limits: { ...DEFAULT_GRPC_LIMITS, ...options.limits },
    ...options.edge,
  });
  const http = createServer((_request, response) => response.end("http"));
  const listener = createListener({
    clock: systemClock,
    onHttp1: (socket) => http.emit("connection", socket),
    onHttp2: (socket) => edge.injectConnection(socket),
  });
  const { port } = await listener.listen("127.0.0.1", 0);
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
    ...options.client,
  });
  const rig: GrpcRig = {
    port,
    edge,
    inference,
    outcomes,
    client,
    unary(path, [input, output], message, { headers, call = {} } = {}) {
      return new Promise((resolve, reject) => {
        let answer: MessageShape<typeof output>;
        const decode = (bytes: Buffer) => fromBinary(output, bytes);
        const sent = client.makeUnaryRequest(
          path,
          bytesOf(input),
          decode,
          message,
          metadataOf(headers),
          call,
          (e, a) => {
            if (e) reject(e);
            else answer = a!;
          },
        );
        sent.on("status", (status: StatusObject) => {
          if (status.code === 0) resolve({ answer, trailers: status.metadata });
        });
      });
    },
    stream: (path, [input, output], headers) =>
      client.makeBidiStreamRequest(
        path,
        bytesOf(input),
        (bytes) => fromBinary(output, bytes),
        metadataOf(headers),
      ),
  };
  try {
    await body(rig);
  } finally {
    client.close();
    edge.destroy("the test is over");
    listener.destroy();
    await listener.close();
  }
}

/** All messages of a stream, and the status it ended with. */
export async function collect<I, O>(
  stream: ClientDuplexStream<I, O>,
): Promise<{ messages: O[]; status: StatusObject }> {
  const messages: O[] = [];
  stream.on("data", (message: O) => messages.push(message));
  stream.on("error", (_error: ServiceError) => {});
  const status = await new Promise<StatusObject>((resolve) => stream.on("status", resolve));
  return { messages, status };
}
