import { fileURLToPath } from "node:url";
import {
  Client,
  type ClientDuplexStream,
  credentials,
  loadPackageDefinition,
  Metadata,
  type MethodDefinition,
  type ServiceError,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { ROW_BYTES } from "./row.ts";
import {
  type Ask,
  failure,
  type Reply,
  type Sent,
  success,
  type Transport,
  timeLeftMs,
} from "./transport.ts";

const PROTO = fileURLToPath(new URL("../../../packages/protocol/proto", import.meta.url));
const UNAVAILABLE = 14;
const CANCELLED = 1;

interface WireAnswer {
  readonly model_version: string;
  readonly id: string;
  readonly raw_output_contents: readonly [Buffer, Buffer];
}

interface StreamAnswer {
  readonly error_message: string;
  readonly infer_response: WireAnswer | null;
}

type Method<Answer> = MethodDefinition<object, Answer>;

interface Methods {
  readonly ModelInfer: Method<WireAnswer>;
  readonly ModelStreamInfer: Method<StreamAnswer>;
}

let methods: Methods | undefined;

/** proto-loader's codec: it shares nothing with the server's own. */
function inferMethods(): Methods {
  if (methods === undefined) {
    const definition = loadSync(`${PROTO}/inference/grpc_service.proto`, {
      includeDirs: [PROTO],
      keepCase: true,
      longs: Number,
      defaults: true,
    });
    const loaded = loadPackageDefinition(definition) as unknown as {
      readonly inference: { readonly GRPCInferenceService: { readonly service: Methods } };
    };
    methods = loaded.inference.GRPCInferenceService.service;
  }
  return methods;
}

/** A ModelInferRequest on the wire. */
export function encodeInferRequest(request: object): Buffer {
  return inferMethods().ModelInfer.requestSerialize(request);
}

interface Channel {
  readonly client: Client;
  lastVersion: number;
}

function openChannels(url: string, size: number): Channel[] {
  const target = new URL(url).host;
  const options = { "grpc.use_local_subchannel_pool": 1, "grpc.initial_reconnect_backoff_ms": 50 };
  return Array.from({ length: size }, () => ({
    client: new Client(target, credentials.createInsecure(), options),
    lastVersion: 0,
  }));
}

function requestOf({ model, rows }: Ask, id = ""): object {
  return {
    model_name: model,
    id,
    inputs: [{ name: "x", datatype: "UINT8", shape: [rows.length, ROW_BYTES] }],
    raw_input_contents: [Buffer.concat(rows)],
  };
}

/** A ModelInferRequest as it goes over the wire, for clients that do not let a library decide when they read. */
export function encodeInfer(ask: Ask): Buffer {
  return inferMethods().ModelInfer.requestSerialize(requestOf(ask));
}

function answerOf(ask: Ask, channel: Channel, versionBefore: number, answer: WireAnswer): Reply {
  const version = Number(answer.model_version);
  channel.lastVersion = Math.max(channel.lastVersion, version);
  const [y, tag] = answer.raw_output_contents;
  const tags = ask.rows.map((_, index) => Number(tag.readBigInt64LE(index * 8)));
  return success(ask, { y, tags, version, versionBefore });
}

function failureOf(error: ServiceError, isCancelled: boolean): Reply {
  if (isCancelled && error.code === CANCELLED) return failure("cancelled");
  const reason = String(error.metadata?.get("sconce-reason")[0] ?? "");
  if (reason === "" && error.code === UNAVAILABLE) return failure("broken", { detail: error.details });
  return failure(`${error.code} ${reason}`, {
    isRefusal: error.code === UNAVAILABLE || reason === "quota_exceeded",
    hasHint: (error.metadata?.get("grpc-retry-pushback-ms").length ?? 0) > 0,
    detail: error.details,
  });
}

/** Unary calls over `size` channels in turn. */
export function createGrpcTransport(url: string, size: number): Transport {
  const { ModelInfer } = inferMethods();
  const channels = openChannels(url, size);
  let next = 0;
  return {
    ask(ask): Sent {
      const channel = channels[next++ % channels.length]!;
      const versionBefore = channel.lastVersion;
      const metadata = new Metadata();
      if (ask.tenant !== undefined) metadata.set("x-tenant", ask.tenant);
      const leftMs = timeLeftMs(ask);
      const options = leftMs === undefined ? {} : { deadline: Date.now() + leftMs };
      let isCancelled = false;
      let cancel = (): void => {};
      const done = new Promise<Reply>((resolve) => {
        const { path, requestSerialize, responseDeserialize } = ModelInfer;
        const call = channel.client.makeUnaryRequest<object, WireAnswer>(
          path,
          requestSerialize,
          responseDeserialize,
          requestOf(ask),
          metadata,
          options,
          (error, answer) => {
            if (error !== null) resolve(failureOf(error, isCancelled));
            else resolve(answerOf(ask, channel, versionBefore, answer!));
          },
        );
        cancel = () => {
          isCancelled = true;
          call.cancel();
        };
      });
      return { done, cancel: () => cancel() };
    },
    close() {
      for (const { client } of channels) client.close();
    },
  };
}

interface Waiting {
  readonly ask: Ask;
  readonly versionBefore: number;
  readonly resolve: (reply: Reply) => void;
}

/** One bidirectional call with requests going over it; opened again when it ended. */
class OpenStream {
  readonly #channel: Channel;
  readonly #waiting = new Map<string, Waiting>();
  #call: ClientDuplexStream<object, StreamAnswer> | undefined;
  #next = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  ask(ask: Ask): Sent {
    const id = String(this.#next++);
    const done = new Promise<Reply>((resolve) => {
      this.#waiting.set(id, { ask, versionBefore: this.#channel.lastVersion, resolve });
      this.#call ??= this.#open();
      this.#call.write(requestOf(ask, id));
    });
    return { done, cancel: () => this.#settle(id, () => failure("cancelled")) };
  }

  close(): void {
    this.#call?.end();
    this.#channel.client.close();
  }

  #open(): ClientDuplexStream<object, StreamAnswer> {
    const { path, requestSerialize, responseDeserialize } = inferMethods().ModelStreamInfer;
    const call = this.#channel.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    call.on("data", ({ infer_response: answer, error_message: message }: StreamAnswer) => {
      const { id = "" } = answer ?? {};
      this.#settle(id, ({ ask, versionBefore }) =>
        answer === null || message !== ""
          ? failure("stream error", { detail: message, isRefusal: /queue is full/.test(message) })
          : answerOf(ask, this.#channel, versionBefore, answer),
      );
    });
    call.on("error", (error: ServiceError) => this.#broke(call, failureOf(error, false)));
    call.on("end", () => this.#broke(call, failure("broken", { detail: "the stream ended" })));
    return call;
  }

  #broke(call: unknown, reply: Reply): void {
    if (this.#call === call) this.#call = undefined;
    for (const id of [...this.#waiting.keys()]) this.#settle(id, () => reply);
  }

  #settle(id: string, replyOf: (waiting: Waiting) => Reply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.resolve(replyOf(waiting));
  }
}

/** Requests over `size` open streams in turn. */
export function createGrpcStreamTransport(url: string, size: number): Transport {
  const streams = openChannels(url, size).map((channel) => new OpenStream(channel));
  let next = 0;
  return {
    ask: (ask) => streams[next++ % streams.length]!.ask(ask),
    close() {
      for (const stream of streams) stream.close();
    },
  };
}
