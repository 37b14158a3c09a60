/**
 * What decoding a request and encoding an answer cost in the hot gRPC codecs: one small tensor, raw and typed, and an image.
 * `node bench/dist/grpc-codecs.js`, about five seconds; with a path, of the compiled codecs there (`…/dist/grpc`).
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { ModelInferRequestSchema, sconceV1 } from "@sconce/protocol/messages";

type Codecs = typeof import("@sconce/protocol/grpc");

const { decodeModelInferRequest, decodePredictRequest, encodeModelInferResponse, encodePredictionResult } =
  (await import(process.argv[2] ?? "@sconce/protocol/grpc")) as Codecs;

const ROUNDS = 7;
const ROUND_MS = 100;
const BATCH = 500;

function inferRequest(bytes: number, isTyped: boolean): Uint8Array {
  const input = { name: "image", datatype: "FP32", shape: [1n, BigInt(bytes / 4)] };
  const contents = { fp32Contents: Array.from({ length: bytes / 4 }, (_, i) => i / 7) };
  return toBinary(
    ModelInferRequestSchema,
    create(ModelInferRequestSchema, {
      modelName: "digits",
      id: "1234",
      inputs: [isTyped ? { ...input, contents } : input],
      rawInputContents: isTyped ? [] : [new Uint8Array(bytes)],
    }),
  );
}

function predictRequest(bytes: number): Uint8Array {
  const inputs = [
    { name: "image", datatype: "FP32", shape: [1n, BigInt(bytes / 4)], raw: new Uint8Array(bytes) },
  ];
  return toBinary(
    sconceV1.PredictRequestSchema,
    create(sconceV1.PredictRequestSchema, { model: "digits", id: "1234", inputs }),
  );
}

const response = {
  model: "digits",
  version: "1",
  id: "1234",
  parameters: new Map(),
  outputs: [{ name: "probabilities", datatype: "FP32" as const, shape: [1, 10], bytes: new Uint8Array(40) }],
};
const timings = [0.1, 0.02, 0.3, 0.01, 0.2, 1.5];

const small = inferRequest(256, false);
const typed = inferRequest(256, true);
const image = inferRequest(600_000, false);
const predict = predictRequest(256);
const CASES: readonly (readonly [name: string, once: () => { readonly length: number } | object])[] = [
  ["decode ModelInfer, 256 B raw", () => decodeModelInferRequest(small)],
  ["decode ModelInfer, 64 typed floats", () => decodeModelInferRequest(typed)],
  ["decode ModelInfer, 600 KB raw", () => decodeModelInferRequest(image)],
  ["decode Predict, 256 B raw", () => decodePredictRequest(predict)],
  ["encode ModelInfer, 40 B", () => encodeModelInferResponse(response)],
  ["encode Predict, 40 B", () => encodePredictionResult(response, { timings })],
];

/** Nanoseconds per call over one round. */
function round(once: () => object): number {
  let calls = 0;
  const startMs = performance.now();
  while (performance.now() - startMs < ROUND_MS) {
    for (let i = 0; i < BATCH; i++) once();
    calls += BATCH;
  }
  return ((performance.now() - startMs) * 1e6) / calls;
}

const best = new Map<string, number>();
for (let i = 0; i < ROUNDS; i++) {
  for (const [name, once] of CASES)
    best.set(name, Math.min(round(once), best.get(name) ?? Number.POSITIVE_INFINITY));
}
for (const [name, ns] of best) console.log(`${name.padEnd(40)} ${ns.toFixed(0).padStart(6)} ns`);
