import { Writable } from "node:stream";
import { create, toBinary } from "@bufbuild/protobuf";
import { decodeModelInferRequest, encodeModelInferResponse } from "@sconce/protocol/grpc";
import { ModelInferRequestSchema } from "@sconce/protocol/messages";
import { CallSignal } from "../../packages/server/dist/base/call-signal.js";
import { systemClock } from "../../packages/server/dist/base/clock.js";
import type { InferRequest } from "../../packages/server/dist/base/infer-request.js";
import type { Instance } from "../../packages/server/dist/base/instance.js";
import { createPrometheusMetrics } from "../../packages/server/dist/base/prometheus-metrics.js";
import type { RunRequest } from "../../packages/server/dist/base/run.js";
import type { Signature } from "../../packages/server/dist/base/signature.js";
import { Timeline } from "../../packages/server/dist/base/timeline.js";
import { createInferenceObserver, serverTiming } from "../../packages/server/dist/edge/inference-metrics.js";
import {
  type FastHead,
  HeadMemory,
  readFastHead,
} from "../../packages/server/dist/edge/rest/http/fast-head.js";
import { responseHead } from "../../packages/server/dist/edge/rest/http/fast-response-head.js";
import { readPrediction } from "../../packages/server/dist/edge/rest/predict/predict-request.js";
import { encodePrediction } from "../../packages/server/dist/edge/rest/predict/predict-response.js";
import { V2Memory } from "../../packages/server/dist/edge/rest/v2/v2-memory.js";
import { readV2Request } from "../../packages/server/dist/edge/rest/v2/v2-request.js";
import { createV2Encoder } from "../../packages/server/dist/edge/rest/v2/v2-response.js";
import { DEFAULT_REST_LIMITS } from "../../packages/server/dist/edge/rest-limits.js";
import { AT_ONCE, type Work, workOff } from "../../packages/server/dist/edge/time-slicer.js";
import { compileInputCheck } from "../../packages/server/dist/infer/input-check.js";
import { compileBatchPlan } from "../../packages/server/dist/queue/batch-plan.js";
import { gatherInputs, sliceOutputs } from "../../packages/server/dist/queue/batch-rows.js";
import { completeQueueConfig } from "../../packages/server/dist/queue/queue-config.js";
import { QueuedRequest } from "../../packages/server/dist/queue/queued-request.js";
import { createScheduler } from "../../packages/server/dist/queue/scheduler.js";
import { encodeTensors } from "../../packages/server/dist/runtime/tensor-codec.js";
import { FRAME_KINDS } from "../../packages/server/dist/worker/frame.js";
import { writeFrame } from "../../packages/server/dist/worker/frame-writer.js";
import { digitsBody, digitsTensor } from "./digits.ts";

/** One stage of a request's way, done once by `once`. */
export interface StageCase {
  readonly protocol: string;
  readonly stage: string;
  /** Nanoseconds that it may take on the machine of docs/dev/performance.md. */
  readonly budgetNs: number;
  once(): unknown;
}

const batch = { symbol: "n", min: 1, max: undefined };
const SIGNATURE: Signature = {
  inputs: [{ name: "image", datatype: "FP32", dims: [batch, 1, 8, 8] }],
  outputs: [{ name: "logits", datatype: "FP32", dims: [batch, 10] }],
  batching: { kind: "on", symbol: "n", maxRows: undefined },
};
const LOGITS = new Uint8Array(Float32Array.from({ length: 10 }, (_, i) => Math.sin(i * 7) * 10).buffer);
const REQUEST_ID = "018f3b2c-5a57-4a0e-9d5c-7f1d2b3c4d5e";

export async function stageCases(): Promise<readonly StageCase[]> {
  const rest = "REST";
  const grpc = "gRPC";
  const either = "both";
  const { body } = digitsBody();
  const pixels = Array.from(new Float32Array(digitsTensor().buffer));
  const v2 = JSON.stringify({
    inputs: [{ name: "image", datatype: "FP32", shape: [1, 1, 8, 8], data: pixels }],
  });
  const request = inferRequest();
  const response = {
    model: "digits",
    version: "1",
    id: undefined,
    outputs: [{ name: "logits", datatype: "FP32" as const, shape: [1, 10], bytes: LOGITS }],
    parameters: new Map(),
    batchRows: 1,
  };
  const check = compileInputCheck(SIGNATURE);
  const encodeV2 = createV2Encoder();
  const message = toBinary(
    ModelInferRequestSchema,
    create(ModelInferRequestSchema, {
      modelName: "digits",
      inputs: [{ name: "image", datatype: "FP32", shape: [1n, 1n, 8n, 8n] }],
      rawInputContents: [digitsTensor()],
    }),
  );
  return [
    ...receiveCases(Buffer.from(body)),
    { protocol: rest, stage: "decode, /predict", budgetNs: 3800, once: predictDecoder(Buffer.from(body)) },
    { protocol: rest, stage: "decode, v2 JSON", budgetNs: 7000, once: v2Decoder(Buffer.from(v2)) },
    { protocol: rest, stage: "decode, v2 JSON as before", budgetNs: 4000, once: v2Memory(Buffer.from(v2)) },
    { protocol: grpc, stage: "decode", budgetNs: 1500, once: () => decodeModelInferRequest(message) },
    { protocol: either, stage: "check", budgetNs: 200, once: () => check(request.inputs) },
    { protocol: either, stage: "queue and dispatch", budgetNs: 2500, once: queueCase() },
    ...runCases(),
    {
      protocol: rest,
      stage: "encode, /predict",
      budgetNs: 2500,
      once: () => all(encodePrediction(response, false)),
    },
    {
      protocol: rest,
      stage: "encode, v2 JSON",
      budgetNs: 3000,
      once: () => all(encodeV2(response, { binaryByDefault: false, binary: new Map() })),
    },
    { protocol: grpc, stage: "encode", budgetNs: 1000, once: () => encodeModelInferResponse(response) },
    ...writeCases(),
  ];
}

function all<T>(work: Work<T>): T | Promise<T> {
  return workOff(work, AT_ONCE);
}

function inferRequest(): InferRequest {
  return {
    model: "digits",
    version: undefined,
    id: undefined,
    inputs: [{ name: "image", datatype: "FP32", shape: [1, 1, 8, 8], bytes: digitsTensor() }],
    outputs: undefined,
    parameters: new Map(),
    priority: 0,
    deadlineMs: undefined,
    signal: new CallSignal(),
    timeline: new Timeline(0),
  };
}

function receiveCases(body: Buffer): StageCase[] {
  const head = `POST /predict/digits HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: python-requests/2.32.0\r\nAccept: */*\r\nConnection: keep-alive\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  const bytes = Buffer.concat([Buffer.from(head), body]);
  const memory = new HeadMemory<FastHead>();
  memory.keep(readFastHead(bytes, 0, DEFAULT_REST_LIMITS) as FastHead, bytes, 0);
  return [
    {
      protocol: "REST",
      stage: "receive, head as before",
      budgetNs: 400,
      once: () => memory.recall(bytes, 0),
    },
    {
      protocol: "REST",
      stage: "receive, new head",
      budgetNs: 4000,
      once: () => readFastHead(bytes, 0, DEFAULT_REST_LIMITS),
    },
  ];
}

function predictDecoder(body: Buffer): () => unknown {
  const call = {
    context: { limits: DEFAULT_REST_LIMITS },
    workOff: <T>(_bytes: number, work: Work<T>) => all(work),
  };
  return () => readPrediction(call, body, SIGNATURE.inputs);
}

function v2Decoder(body: Buffer): () => unknown {
  return () => all(readV2Request(body, body.length, DEFAULT_REST_LIMITS));
}

/** The second request of a client that sends the same text around other numbers. */
function v2Memory(body: Buffer): () => unknown {
  const memory = new V2Memory();
  const request = all(readV2Request(body, body.length, DEFAULT_REST_LIMITS));
  if (!(request instanceof Promise)) memory.keep("digits", body, request);
  return () => memory.recall("digits", body, DEFAULT_REST_LIMITS);
}

/** From `submit` to the instance, which never answers; the client leaves at once. */
function queueCase(): () => unknown {
  const ignore = { resolve() {}, reject() {} };
  const instance: Instance = {
    id: "0",
    state: { kind: "ready" },
    residentBytes: async () => undefined,
    run: () => new Promise(() => {}),
  };
  const config = completeQueueConfig({ maxBatchSize: 32, pipelineDepth: 1e9 }, SIGNATURE, 1);
  const make = () =>
    createScheduler({ signature: SIGNATURE, config, instances: [instance], clock: systemClock });
  let scheduler = make();
  let left = 0;
  let request = inferRequest();
  return () => {
    if (left-- === 0) {
      left = 1000;
      scheduler.destroy("it has enough");
      scheduler = make();
    }
    // Each has a signal of its own.
    request = { ...request, signal: new CallSignal() };
    scheduler.submit(request, ignore);
  };
}

/** What is done for a run of 16 requests, per request. */
function runCases(): StageCase[] {
  const rows = 16;
  const config = completeQueueConfig({ maxBatchSize: 32 }, SIGNATURE, 1);
  const plan = compileBatchPlan(SIGNATURE, config);
  const receiver = { resolve() {}, reject() {} };
  const items = Array.from(
    { length: rows },
    () => new QueuedRequest(plan, config, { request: inferRequest(), nowMs: 0, number: 0, receiver }).first,
  );
  const bytes = new Uint8Array(40 * rows);
  const result = { outputs: [{ datatype: "FP32" as const, shape: [rows, 10], bytes }], computeMs: 0 };
  const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
  let calls = 0;
  const perRequest = (work: () => unknown) => () => (calls++ % rows === 0 ? work() : undefined);
  const send = (request: RunRequest): void => {
    const { header, chunks } = encodeTensors(request.inputs, 0);
    writeFrame(sink, { kind: FRAME_KINDS.call, method: 1, id: 1, header, chunks });
  };
  return [
    {
      protocol: "both",
      stage: "frame, of 16",
      budgetNs: 800,
      once: perRequest(() => send(gatherInputs(plan, items))),
    },
    {
      protocol: "both",
      stage: "split, of 16",
      budgetNs: 500,
      once: perRequest(() => sliceOutputs(plan, result, items)),
    },
  ];
}

function writeCases(): StageCase[] {
  const timeline = new Timeline(1);
  Object.assign(timeline, {
    bodyMs: 1.01,
    enqueuedMs: 1.02,
    claimedMs: 1.03,
    dispatchedMs: 1.04,
    computeMs: 0.0213,
    answeredMs: 1.2,
    encodedMs: 1.21,
  });
  const observer = createInferenceObserver(createPrometheusMetrics(), () => true);
  const answeredBy = { model: "digits", version: "1" };
  const json = Buffer.from('{"prediction":[[1,2,3,4,5,6,7,8,9,10]]}');
  const write = (): Buffer => {
    const headers = ["Server-Timing", serverTiming(timeline), "Content-Type", "application/json"];
    headers.push("Content-Length", String(json.length), "X-Request-Id", REQUEST_ID);
    const head = responseHead({
      status: 200,
      headers,
      date: "Mon, 30 Nov 2026 08:00:00 GMT",
      keepAliveMs: 65_000,
    });
    const bytes = Buffer.allocUnsafe(head.length + json.length);
    bytes.write(head, 0, "latin1");
    bytes.set(json, head.length);
    return bytes;
  };
  return [
    {
      protocol: "both",
      stage: "count (metrics)",
      budgetNs: 400,
      once: () => observer.observe({ protocol: "rest", answeredBy, asked: "digits", code: "ok", timeline }),
    },
    { protocol: "REST", stage: "write, head and body", budgetNs: 2000, once: write },
  ];
}
