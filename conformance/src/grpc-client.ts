import { fileURLToPath } from "node:url";
import { type Client, credentials, loadPackageDefinition, Metadata, type ServiceError } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const PROTO = fileURLToPath(new URL("../../packages/protocol/proto", import.meta.url));

/** A message as proto-loader gives it: a codec that shares nothing with the server's own. */
export type Message = Readonly<Record<string, unknown>>;

/** A client of one service, made from its .proto file. */
export interface ProtoClient {
  unary(method: string, request: Message, headers?: Readonly<Record<string, string>>): Promise<Message>;
  /** Sends all requests at once, half-closes, and gathers the answers in the order they came. */
  stream(method: string, requests: readonly Message[]): Promise<Message[]>;
  close(): void;
}

type Unary = (
  request: Message,
  metadata: Metadata,
  callback: (error: ServiceError | null, answer: Message) => void,
) => void;

interface Stream {
  on(event: "data", listener: (answer: Message) => void): void;
  on(event: "error", listener: (error: ServiceError) => void): void;
  on(event: "end", listener: () => void): void;
  write(message: Message): boolean;
  end(): void;
}

export function protoClient(options: {
  readonly proto: string;
  readonly service: string;
  readonly target: string;
}): ProtoClient {
  const definition = loadSync(`${PROTO}/${options.proto}`, {
    includeDirs: [PROTO],
    longs: Number,
    defaults: true,
  });
  const loaded: unknown = options.service
    .split(".")
    .reduce((scope: unknown, name) => (scope as Message)[name], loadPackageDefinition(definition));
  const Service = loaded as new (target: string, credentials: unknown, options: object) => Client;
  const client = new Service(options.target, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
  });
  // proto-loader puts the methods on the client by name, which its types cannot say.
  const unaries = client as unknown as Readonly<Record<string, Unary>>;
  const streams = client as unknown as Readonly<Record<string, () => Stream>>;
  return {
    unary(method, request, headers = {}) {
      const metadata = new Metadata();
      for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
      return new Promise((resolve, reject) => {
        unaries[method]!.call(client, request, metadata, (error, answer) => {
          if (error === null) resolve(answer);
          else reject(error);
        });
      });
    },
    stream(method, requests) {
      return new Promise((resolve, reject) => {
        const call = streams[method]!.call(client);
        const answers: Message[] = [];
        call.on("data", (answer: Message) => answers.push(answer));
        call.on("error", reject);
        call.on("end", () => resolve(answers));
        for (const request of requests) call.write(request);
        call.end();
      });
    },
    close: () => client.close(),
  };
}
