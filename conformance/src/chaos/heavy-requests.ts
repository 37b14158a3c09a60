import { request } from "node:http";
import { gzipSync } from "node:zlib";
import { Client, credentials } from "@grpc/grpc-js";
import { encodeInferRequest } from "./grpc-transport.ts";

const MIB = 1024 * 1024;
/** Elements of one row of the model that takes such bodies. */
export const ROW_ELEMENTS: number = MIB;
const TOO_MANY = 10_000;
const GRPC_LIMIT = 80 * MIB;

/** A request that costs the server much. */
export interface HeavyRequest {
  readonly name: string;
  /** `right`, or what came instead of what should. */
  send(url: string): Promise<string>;
}

/** Bodies of so many rows (MiB; as JSON each takes two), in every form that the server takes them in, and two that it refuses. */
export function heavyRequests(rows: { readonly binary: number; readonly json: number }): HeavyRequest[] {
  const elements = rows.json * ROW_ELEMENTS;
  // Too little alike to be taken for a compression bomb.
  const digits = Buffer.alloc(2 * elements - 1, ",");
  for (let i = 0; i < elements; i++) digits[2 * i] = 0x30 + (((i * 7919) >>> 3) % 10);
  const json = jsonBody([rows.json, ROW_ELEMENTS], digits);
  const integers = Buffer.alloc(elements, "sconce");
  const wide = Buffer.alloc(rows.binary * ROW_ELEMENTS, "sconce");
  const [size, text] = [`${rows.binary} MiB`, `${2 * rows.json} MiB`];
  return [
    { name: `${size} binary`, send: (url) => sendBinary(url, wide) },
    { name: `${text} JSON`, send: (url) => sendJson(url, json, digits) },
    {
      name: `${text} JSON, gzip`,
      send: (url) => sendJson(url, gzipSync(json, { level: 1 }), digits, "gzip"),
    },
    { name: "10,000 tensors, JSON", send: (url) => sendTensors(url) },
    { name: `${size} gRPC`, send: (url) => sendGrpc(url, wide) },
    { name: `${rows.json} MiB of integers, gRPC`, send: (url) => sendIntegers(url, integers) },
    { name: "10,000 tensors, gRPC", send: (url) => sendGrpcTensors(url) },
  ];
}

function jsonBody(shape: readonly number[], data: Buffer): Buffer {
  const head = `{"inputs":[{"name":"x","datatype":"UINT8","shape":[${shape}],"data":[`;
  return Buffer.concat([Buffer.from(head), data, Buffer.from(']}],"outputs":[{"name":"y"}]}')]);
}

async function sendBinary(url: string, bytes: Buffer): Promise<string> {
  const json = Buffer.from(
    `{"inputs":[{"name":"x","datatype":"UINT8","shape":[${shapeOf(bytes)}],"parameters":{"binary_data_size":${bytes.length}}}],` +
      '"outputs":[{"name":"y","parameters":{"binary_data":true}}]}',
  );
  const { status, body } = await post(`${url}/v2/models/wide/infer`, Buffer.concat([json, bytes]), {
    "inference-header-content-length": String(json.length),
  });
  return verdict(status, body, body.subarray(-bytes.length).equals(bytes));
}

async function sendJson(url: string, payload: Buffer, digits: Buffer, encoding?: string): Promise<string> {
  const { status, body } = await post(
    `${url}/v2/models/wide/infer`,
    payload,
    encoding === undefined ? {} : { "content-encoding": encoding },
  );
  const at = body.indexOf('"data":[') + '"data":['.length;
  return verdict(status, body, body.subarray(at, at + digits.length).equals(digits));
}

async function sendTensors(url: string): Promise<string> {
  const inputs = Array.from({ length: TOO_MANY }, (_, index) => ({
    name: `x${index}`,
    datatype: "UINT8",
    shape: [1],
    data: [1],
  }));
  const { status, body } = await post(
    `${url}/v2/models/wide/infer`,
    Buffer.from(JSON.stringify({ inputs })),
    {},
  );
  return status === 400 ? "right" : `${status} ${body.toString("utf8", 0, 200)}`;
}

function shapeOf(bytes: Buffer): number[] {
  return [bytes.length / ROW_ELEMENTS, ROW_ELEMENTS];
}

function verdict(status: number, body: Buffer, isRight: boolean): string {
  if (status !== 200) return `${status} ${body.toString("utf8", 0, 200)}`;
  return isRight ? "right" : "wrong answer";
}

function post(
  url: string,
  payload: Buffer,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly status: number; readonly body: Buffer }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: "POST", headers: { ...headers, "content-length": payload.length } });
    sent.on("error", reject);
    sent.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode!, body: Buffer.concat(chunks) }));
    });
    sent.end(payload);
  });
}

async function sendGrpc(url: string, bytes: Buffer): Promise<string> {
  const message = encodeInferRequest({
    model_name: "wide",
    inputs: [{ name: "x", datatype: "UINT8", shape: shapeOf(bytes) }],
    outputs: [{ name: "y" }],
    raw_input_contents: [bytes],
  });
  const { code, answer } = await call(url, message);
  if (code !== 0) return `status ${code}`;
  return answer.subarray(-bytes.length).equals(bytes) ? "right" : "wrong answer";
}

/** Typed contents, which have to be unpacked one by one. */
async function sendIntegers(url: string, bytes: Buffer): Promise<string> {
  const message = encodeInferRequest({
    model_name: "wide",
    inputs: [
      { name: "x", datatype: "UINT8", shape: shapeOf(bytes), contents: { uint_contents: Array.from(bytes) } },
    ],
    outputs: [{ name: "y" }],
  });
  const { code, answer } = await call(url, message);
  if (code !== 0) return `status ${code}`;
  return answer.subarray(-bytes.length).equals(bytes) ? "right" : "wrong answer";
}

async function sendGrpcTensors(url: string): Promise<string> {
  const inputs = Array.from({ length: TOO_MANY }, (_, index) => ({
    name: `x${index}`,
    datatype: "UINT8",
    shape: [1],
  }));
  const { code } = await call(url, encodeInferRequest({ model_name: "wide", inputs }));
  return code === 3 ? "right" : `status ${code}`;
}

function call(url: string, message: Buffer): Promise<{ readonly code: number; readonly answer: Buffer }> {
  const client = new Client(new URL(url).host, credentials.createInsecure(), {
    "grpc.max_receive_message_length": GRPC_LIMIT,
    "grpc.max_send_message_length": GRPC_LIMIT,
    "grpc.use_local_subchannel_pool": 1,
  });
  const path = "/inference.GRPCInferenceService/ModelInfer";
  const asItIs = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, asItIs, asItIs, message, (error, answer) => {
      client.close();
      resolve({ code: error?.code ?? 0, answer: answer ?? Buffer.alloc(0) });
    });
  });
}
