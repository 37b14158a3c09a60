import { fileURLToPath } from "node:url";
import {
  type Client,
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { GrpcCall } from "./grpc-calls.ts";
import { shapeOf } from "./json-shape.ts";

const PROTO = fileURLToPath(new URL("../../../packages/protocol/proto", import.meta.url));
const SERVICES = { inference: "InferenceAPIsService", management: "ManagementAPIsService" } as const;

/** What was answered, as far as it is compared. */
export interface RecordedGrpcAnswer {
  /** The call's status. */
  readonly code: number;
  /** Its message, where it failed. */
  readonly details?: string;
  readonly answers: readonly unknown[];
}

type Message = Readonly<Record<string, unknown>>;
type Unary = (
  request: object,
  metadata: Metadata,
  done: (error: ServiceError | null, answer: Message) => void,
) => void;
interface Stream {
  on(event: "data", listener: (answer: Message) => void): void;
  on(event: "error", listener: (error: ServiceError) => void): void;
  on(event: "end", listener: () => void): void;
}

interface SequenceStream extends Stream {
  write(message: object): void;
  end(): void;
}

/** Clients of TorchServe's two services. */
export interface TorchserveClients {
  /** `key`: in place of the clients' token, for either service. */
  ask(call: GrpcCall, key?: string): Promise<RecordedGrpcAnswer>;
  /** One StreamPredictions2, its messages one after another; each answer's text, or its status. */
  askSequence(messages: readonly object[], token: string): Promise<readonly unknown[]>;
  close(): void;
}

/** `targets`: `host:port` of each. `token`: for management. */
export function torchserveClients(
  targets: Readonly<Record<GrpcCall["service"], string>>,
  token?: string,
): TorchserveClients {
  const inference = clientOf("inference", targets.inference);
  const management = clientOf("management", targets.management);
  const clients = { inference, management };
  return {
    ask(call, key = call.service === "management" ? token : undefined) {
      const metadata = new Metadata();
      if (key !== undefined) metadata.set("authorization", `Bearer ${key}`);
      const client = clients[call.service];
      return call.isStreamed === true
        ? askStreamed(client, call, metadata)
        : askUnary(client, call, metadata);
    },
    askSequence(messages, key) {
      const metadata = new Metadata();
      metadata.set("authorization", `Bearer ${key}`);
      const opener = inference as unknown as { StreamPredictions2(metadata: Metadata): SequenceStream };
      const open = opener.StreamPredictions2(metadata);
      return new Promise((resolve, reject) => {
        const answers: unknown[] = [];
        const next = (): void => {
          const message = messages[answers.length];
          if (message === undefined) open.end();
          else open.write(message);
        };
        open.on("data", ({ prediction, status }) => {
          const { code, message } = (status ?? {}) as Message;
          answers.push(status ? { code, message } : String(prediction));
          next();
        });
        open.on("error", reject);
        open.on("end", () => resolve(answers));
        next();
      });
    },
    close() {
      inference.close();
      management.close();
    },
  };
}

function clientOf(service: GrpcCall["service"], target: string): Client {
  const definition = loadSync(`${PROTO}/torchserve/${service}.proto`, {
    includeDirs: [PROTO],
    defaults: true,
  });
  let scope = loadPackageDefinition(definition) as unknown as GrpcObject;
  for (const name of ["org", "pytorch", "serve", "grpc", service]) scope = scope[name] as GrpcObject;
  const Service = scope[SERVICES[service]] as unknown as new (target: string, credentials: unknown) => Client;
  return new Service(target, credentials.createInsecure());
}

function askUnary(client: Client, call: GrpcCall, metadata: Metadata): Promise<RecordedGrpcAnswer> {
  const run = (client as unknown as Readonly<Record<string, Unary>>)[call.method]!;
  return new Promise((resolve) => {
    run.call(client, call.request, metadata, (error, answer) =>
      resolve(recorded(call, error, answer === undefined ? [] : [answer])),
    );
  });
}

function askStreamed(client: Client, call: GrpcCall, metadata: Metadata): Promise<RecordedGrpcAnswer> {
  const open = (
    client as unknown as Readonly<Record<string, (request: object, metadata: Metadata) => Stream>>
  )[call.method]!;
  return new Promise((resolve) => {
    const stream = open.call(client, call.request, metadata);
    const answers: Message[] = [];
    stream.on("data", (answer) => answers.push(answer));
    stream.on("error", (error) => resolve(recorded(call, error, answers)));
    stream.on("end", () => resolve(recorded(call, null, answers)));
  });
}

function recorded(
  { closeness }: GrpcCall,
  error: ServiceError | null,
  answers: readonly Message[],
): RecordedGrpcAnswer {
  if (closeness === "status") return { code: error?.code ?? 0, answers: [] };
  if (error !== null) return { code: error.code, details: error.details, answers: answers.map(shownOf) };
  if (closeness !== "shape") return { code: 0, answers: answers.map(shownOf) };
  return { code: 0, answers: answers.map(({ msg }) => shapeOf(JSON.parse(String(msg)))) };
}

/** Bytes as text or base64; the other fields as they are. */
function shownOf(message: Message): Message {
  const { prediction, msg, health } = message;
  if (!Buffer.isBuffer(prediction)) return msg === undefined ? { health } : { msg };
  const text = prediction.toString();
  return {
    prediction: Buffer.from(text).equals(prediction) ? text : { base64: prediction.toString("base64") },
  };
}
