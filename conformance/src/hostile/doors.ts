import type { Target } from "./attack.ts";

/** One way to ask a server about a model. */
export interface Door {
  readonly name: string;
  /** What it asks for: with a key for inference, `admin` stays shut. */
  readonly needs: "infer" | "admin" | "metrics";
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

const OIP = "/inference.GRPCInferenceService";
const OWN = "/sconce.v1.ModelServing";
const TENSORFLOW = "/tensorflow.serving";
const TENSOR_DATA = "[0,0,0,0,0,0,0,0]";
const ROW = `[[${new Array<string>(8).fill(TENSOR_DATA).join()}]]`;

/** REST over HTTP/1.1 and over HTTP/2: method, URL, and the body where there is one. NAME stands for the model. */
const REST: ReadonlyArray<
  readonly [needs: Door["needs"], method: string, path: string, body?: (target: Target) => string]
> = [
  ["infer", "POST", "/v2/models/NAME/infer", ({ body }) => body],
  ["infer", "POST", "/v2/models/NAME/versions/1/infer", ({ body }) => body],
  ["infer", "POST", "/v2/models/NAME/generate", () => `{"image":[${ROW}]}`],
  ["infer", "POST", "/v2/models/NAME/generate_stream", () => `{"image":[${ROW}]}`],
  ["infer", "POST", "/predict/NAME", () => `{"input":[${ROW}]}`],
  ["infer", "PUT", "/predict/NAME", () => `{"input":[${ROW}]}`],
  ["infer", "POST", "/v1/models/NAME:predict", () => `{"instances":[${ROW}]}`],
  ["infer", "POST", "/v1/embeddings", () => '{"model":"NAME","input":"x"}'],
  ["infer", "GET", "/v2/models/NAME"],
  ["infer", "GET", "/v2/models/NAME/ready"],
  ["infer", "GET", "/v2/models/NAME/config"],
  ["infer", "GET", "/v2/models/NAME/stats"],
  ["infer", "GET", "/v2/models/NAME/trace/setting"],
  ["infer", "GET", "/v1/models/NAME"],
  ["infer", "GET", "/v1/models/NAME/metadata"],
  ["admin", "POST", "/v2/repository/models/NAME/load", () => "{}"],
  ["admin", "POST", "/v2/repository/models/NAME/unload", () => "{}"],
  ["admin", "POST", "/v2/profile", () => "{}"],
  ["metrics", "GET", "/metrics"],
];

/** Methods of gRPC with the number of the field that names the model. */
const METHODS: ReadonlyArray<
  readonly [needs: Door["needs"], path: string, message: (name: string) => Buffer]
> = [
  ["infer", `${OIP}/ModelInfer`, named],
  ["infer", `${OIP}/ModelStreamInfer`, named],
  ["infer", `${OIP}/ModelReady`, named],
  ["infer", `${OIP}/ModelMetadata`, named],
  ["infer", `${OIP}/ModelConfig`, named],
  ["infer", `${OIP}/ModelStatistics`, named],
  ["admin", `${OIP}/RepositoryModelLoad`, (name) => field(2, Buffer.from(name))],
  ["admin", `${OIP}/RepositoryModelUnload`, (name) => field(2, Buffer.from(name))],
  ["infer", `${OWN}/Predict`, named],
  ["infer", `${TENSORFLOW}.PredictionService/Predict`, (name) => field(1, named(name))],
  [
    "infer",
    `${TENSORFLOW}.PredictionService/GetModelMetadata`,
    (name) => Buffer.concat([field(1, named(name)), field(2, Buffer.from("signature_def"))]),
  ],
  ["infer", `${TENSORFLOW}.ModelService/GetModelStatus`, (name) => field(1, named(name))],
];

/** The clothes that gRPC comes in, for a browser. */
type Clothes = readonly [name: string, contentType: string, dress: (message: Buffer) => Buffer];
const CLOTHES: readonly Clothes[] = [
  ["gRPC-Web", "application/grpc-web+proto", framed],
  [
    "gRPC-Web in text",
    "application/grpc-web-text+proto",
    (message) => Buffer.from(framed(message).toString("base64")),
  ],
];
const CONNECT: Clothes = ["Connect", "application/proto", (message) => message];
const CONNECT_STREAM: Clothes = ["Connect", "application/connect+proto", framed];

/** Every way there is to ask about the model of this name. */
export function doorsTo(name: string, target: Target): Door[] {
  return [...restDoors(name, target), ...METHODS.flatMap((method) => grpcDoors(name, method))];
}

function restDoors(name: string, target: Target): Door[] {
  return REST.map(([needs, method, path, body]) => ({
    name: `${method} ${path}`,
    needs,
    method,
    path: path.replace("NAME", name),
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? undefined : Buffer.from(body(target).replace("NAME", name)),
  }));
}

function grpcDoors(name: string, [needs, path, message]: (typeof METHODS)[number]): Door[] {
  const common = { needs, method: "POST", path };
  const bytes = message(name);
  const plain: Door = {
    ...common,
    name: `gRPC ${path}`,
    headers: { "content-type": "application/grpc", te: "trailers" },
    body: framed(bytes),
  };
  // TensorFlow Serving has no clients in browsers.
  if (path.startsWith(TENSORFLOW)) return [plain];
  const connect = path.endsWith("StreamInfer") ? CONNECT_STREAM : CONNECT;
  const dressed = [...CLOTHES, connect].map(([clothes, contentType, dress]) => ({
    ...common,
    name: `${clothes} ${path}`,
    headers: { "content-type": contentType, "connect-protocol-version": "1" },
    body: dress(bytes),
  }));
  return [plain, ...dressed];
}

function named(name: string): Buffer {
  return field(1, Buffer.from(name));
}

function field(number: number, contents: Buffer): Buffer {
  return Buffer.concat([Buffer.from([number * 8 + 2, contents.length]), contents]);
}

/** A message of gRPC: not compressed, so long. */
export function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
