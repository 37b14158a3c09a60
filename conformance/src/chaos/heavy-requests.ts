import { request } from "node:http";
import { gzipSync } from "node:zlib";
import { Client, credentials } from "@grpc/grpc-js";
import { encodeInferRequest } from "./grpc-transport.ts";

const MIB = 1024 * 1024;
/** Elements of the models that take such bodies. */
export const WIDE_BYTES: number = 63 * MIB;
export const JSON_ELEMENTS: number = 8 * MIB - 512;
const TOO_MANY = 10_000;
const GRPC_LIMIT = 80 * MIB;

/** A request that costs the server much. */
export interface HeavyRequest {
  readonly name: string;
  /** `right`, or what came instead of what should. */
  send(url: string): Promise<string>;
}

/** The largest bodies that the server takes, in every form that it takes them in, and two that it refuses. */
export function heavyRequests(): HeavyRequest[] {
  // Too little alike to be taken for a compression bomb.
  const digits = Buffer.alloc(2 * JSON_ELEMENTS - 1, ",");
  for (let i = 0; i < JSON_ELEMENTS; i++) digits[2 * i] = 0x30 + (((i * 7919) >>> 3) % 10);
  const json = jsonBody("UINT8", [1, JSON_ELEMENTS], digits);
  const wide = Buffer.alloc(WIDE_BYTES, "sconce");
  return [
    { name: "64 MiB binary", send: (url) => sendBinary(url, wide) },
    { name: "16 MiB JSON", send: (url) => sendJson(url, json, digits) },
    { name: "16 MiB JSON, gzip", send: (url) => sendJson(url, gzipSync(json, { level: 1 }), digits, "gzip") },
    { name: "10,000 tensors, JSON", send: (url) => sendTensors(url) },
    { name: "64 MiB gRPC", send: (url) => sendGrpc(url, wide) },
    { name: "10,000 tensors, gRPC", send: (url) => sendGrpcTensors(url) },
  ];
}

function jsonBody(datatype: string, shape: readonly number[], data: Buffer): Buffer {
  const head = `{"inputs":[{"name":"x","datatype":"${datatype}","shape":[${shape}],"data":[`;
  return Buffer.concat([Buffer.from(head), data, Buffer.from(']}],"outputs":[{"name":"y"}]}')]);
}

async function sendBinary(url: string, bytes: Buffer): Promise<string> {
  const json = Buffer.from(
    `{"inputs":[{"name":"x","datatype":"UINT8","shape":[1,${bytes.length}],"parameters":{"binary_data_size":${bytes.length}}}],` +
      '"outputs":[{"name":"y","parameters":{"binary_data":true}}]}',
  );
  const { status, body } = await post(`${url}/v2/models/wide/infer`, Buffer.concat([json, bytes]), {
    "inference-header-content-length": String(json.length),
  });
  return verdict(status, body, body.subarray(-bytes.length).equals(bytes));
}

async function sendJson(url: string, payload: Buffer, digits: Buffer, encoding?: string): Promise<string> {
  const { status, body } = await post(
    `${url}/v2/models/json/infer`,
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
    `${url}/v2/models/json/infer`,
    Buffer.from(JSON.stringify({ inputs })),
    {},
  );
  return status === 400 ? "right" : `${status} ${body.toString("utf8", 0, 200)}`;
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
    inputs: [{ name: "x", datatype: "UINT8", shape: [1, bytes.length] }],
    outputs: [{ name: "y" }],
    raw_input_contents: [bytes],
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
  const { code } = await call(url, encodeInferRequest({ model_name: "json", inputs }));
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
