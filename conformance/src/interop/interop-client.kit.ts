import { fileURLToPath } from "node:url";
import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  type ClientOptions,
  credentials,
  Metadata,
  type StatusObject,
} from "@grpc/grpc-js";
import { loadSync, type MethodDefinition, type ServiceDefinition } from "@grpc/proto-loader";

const PROTO = fileURLToPath(new URL("../../../packages/protocol/proto", import.meta.url));

type Method = MethodDefinition<object, object>;

export type Answer = Readonly<Record<string, unknown>>;

function methodsOf(proto: string, service: string): Readonly<Record<string, Method>> {
  const definition = loadSync(proto, { includeDirs: [PROTO], longs: Number, enums: String, defaults: true });
  return definition[service] as ServiceDefinition as Readonly<Record<string, Method>>;
}

const METHODS: Readonly<Record<string, Method>> = {
  ...methodsOf("inference/grpc_service.proto", "inference.GRPCInferenceService"),
  ...methodsOf("sconce/v1/model_serving.proto", "sconce.v1.ModelServing"),
  ...methodsOf("grpc/health/v1/health.proto", "grpc.health.v1.Health"),
};

/** A method's request in gRPC's frame. */
export function requestFrame(method: string, message: object): Buffer {
  const bytes = METHODS[method]!.requestSerialize(message);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

/** How a call ended, and what came before. */
export interface Outcome {
  readonly answers: readonly Answer[];
  readonly status: StatusObject;
}

/** A stream in the hands of a test. */
export interface OpenCall {
  send(message: object): void;
  halfClose(): void;
  cancel(): void;
  /** The next answer. Rejects when the call ends instead. */
  next(): Promise<Answer>;
  readonly outcome: Promise<Outcome>;
}

export interface InteropClient {
  /** Any method with these messages, half-closed after the last one. */
  call(method: string, messages: readonly object[], more?: CallParts): Promise<Outcome>;
  open(method: string, more?: CallParts): OpenCall;
  close(): void;
}

interface CallParts {
  readonly metadata?: Metadata;
  readonly options?: CallOptions;
  /** Instead of the method's own. */
  readonly path?: string;
}

/**
 * grpc-js as a client that sees everything of a call: every kind of method is a stream both ways to it. With the certificate of a CA it speaks TLS.
 */
export function interopClient(target: string, options: ClientOptions = {}, ca?: Buffer): InteropClient {
  const secrets = ca === undefined ? credentials.createInsecure() : credentials.createSsl(ca);
  const client = new Client(target, secrets, {
    "grpc.max_receive_message_length": -1,
    ...options,
  });
  const open = (
    name: string,
    { metadata = new Metadata(), options = {}, path }: CallParts = {},
  ): OpenCall => {
    const method = METHODS[name]!;
    const stream = client.makeBidiStreamRequest(
      path ?? method.path,
      method.requestSerialize,
      method.responseDeserialize,
      metadata,
      options,
    );
    return openCall(stream);
  };
  return {
    async call(method, messages, more) {
      const call = open(method, more);
      for (const message of messages) call.send(message);
      call.halfClose();
      return await call.outcome;
    },
    open,
    close: () => client.close(),
  };
}

function openCall(stream: ClientDuplexStream<object, object>): OpenCall {
  const answers: Answer[] = [];
  let seen = 0;
  let wake = (): void => {};
  stream.on("data", (answer: Answer) => {
    answers.push(answer);
    wake();
  });
  stream.on("error", () => {});
  const status = new Promise<StatusObject>((resolve) => stream.on("status", resolve));
  return {
    send: (message) => void stream.write(message),
    halfClose: () => stream.end(),
    cancel: () => stream.cancel(),
    async next() {
      const ended = status.then(({ code, details }) => {
        if (answers.length === seen) throw new Error(`the call ended: ${code} ${details}`);
      });
      if (answers.length === seen) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await Promise.race([woken, ended]);
      }
      ended.catch(() => {});
      seen += 1;
      return answers[seen - 1]!;
    },
    outcome: status.then((end) => ({ answers, status: end })),
  };
}
