import type { Closeness } from "./recorded-call.ts";

/** A call over gRPC of the set that TorchServe's answers are recorded of. */
export interface GrpcCall {
  readonly name: string;
  readonly service: "inference" | "management";
  readonly method: string;
  readonly request: Readonly<Record<string, unknown>>;
  /** Its answers are a stream. */
  readonly isStreamed?: boolean;
  readonly closeness: Closeness;
}

const text = (value: string): Readonly<Record<string, Buffer>> => ({ data: Buffer.from(value) });

function predict(
  modelName: string,
  value: string,
  extra: Partial<GrpcCall> & { readonly version?: string } = {},
): GrpcCall {
  const { version: modelVersion, ...others } = extra;
  const method = others.method ?? "Predictions";
  return {
    name: `${method} ${modelName} ${modelVersion ?? ""} ${value}`,
    service: "inference",
    method,
    request: { modelName, ...(modelVersion !== undefined && { modelVersion }), input: text(value) },
    closeness: "bytes",
    ...others,
  };
}

function manage(
  method: string,
  request: Readonly<Record<string, unknown>>,
  closeness: Closeness = "bytes",
): GrpcCall {
  return { name: `${method} ${JSON.stringify(request)}`, service: "management", method, request, closeness };
}

/** From a server without models and back. */
export const GRPC_CALLS: readonly GrpcCall[] = [
  { name: "Ping", service: "inference", method: "Ping", request: {}, closeness: "bytes" },
  manage("ListModels", {}),
  manage("DescribeModel", { modelName: "orders" }),
  manage("RegisterModel", { url: "nobody.mar" }),
  manage("RegisterModel", { url: "" }, "status"),
  manage("RegisterModel", { url: "orders.mar", initialWorkers: 1, synchronous: true }),
  manage("RegisterModel", { url: "orders.mar", initialWorkers: 1, synchronous: true }),
  manage("RegisterModel", { url: "streaming.mar", initialWorkers: 1, synchronous: true }),
  manage("ListModels", { limit: 1 }),
  manage("ListModels", { limit: 1, nextPageToken: 1 }),
  manage("DescribeModel", { modelName: "orders" }, "shape"),
  manage("DescribeModel", { modelName: "orders", modelVersion: "1.0" }, "shape"),
  manage("DescribeModel", { modelName: "orders", modelVersion: "9.0" }),
  ...["text", "bytes", "list", "unicode", "empty", "teapot", "refuse", "refuse oddly", "raise", "set"].map(
    (order) => predict("orders", order),
  ),
  predict("orders", "text", { version: "1.0" }),
  predict("orders", "text", { version: "9.0" }),
  predict("nobody", "text"),
  {
    ...predict("orders", "fields"),
    request: { modelName: "orders", input: { one: Buffer.from("1"), two: Buffer.from([255]) } },
  },
  {
    ...predict("streaming", "one two three", { method: "StreamPredictions", isStreamed: true }),
    request: { modelName: "streaming", input: { body: Buffer.from("one two three") } },
  },
  predict("orders", "text", { method: "StreamPredictions", isStreamed: true }),
  predict("orders", "raise", { method: "StreamPredictions", isStreamed: true }),
  manage("ScaleWorker", { modelName: "orders", minWorker: 2, maxWorker: 2, synchronous: true }),
  manage("ScaleWorker", { modelName: "orders", minWorker: 1, maxWorker: 1, synchronous: true }),
  manage("ScaleWorker", { modelName: "nobody", minWorker: 1, synchronous: true }),
  manage("SetDefault", { modelName: "orders", modelVersion: "1.0" }),
  manage("SetDefault", { modelName: "orders", modelVersion: "9.0" }),
  manage("UnregisterModel", { modelName: "streaming" }),
  manage("UnregisterModel", { modelName: "orders" }),
  manage("UnregisterModel", { modelName: "orders" }),
];
