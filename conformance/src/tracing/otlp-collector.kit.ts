import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { Server, ServerCredentials, type ServiceDefinition, status } from "@grpc/grpc-js";
import { loadSync, type MethodDefinition } from "@grpc/proto-loader";

const PROTO = fileURLToPath(new URL("../../proto", import.meta.url));
const FILE = "opentelemetry/proto/collector/trace/v1/trace_service.proto";
const SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService";

export type Value = string | number | boolean | undefined;
export type Attributes = Readonly<Record<string, Value>>;

/** A span as a collector has it, ids in hexadecimal. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly flags: number;
  readonly name: string;
  readonly kind: string;
  readonly startNanos: bigint;
  readonly endNanos: bigint;
  readonly attributes: Attributes;
  readonly links: readonly {
    readonly traceId: string;
    readonly spanId: string;
    readonly attributes: Attributes;
  }[];
  readonly status: string;
  readonly resource: Attributes;
}

/** A collector made from OpenTelemetry's own protocol files; it shares nothing with the server's encoder. */
export interface Collector {
  /** For HTTP, without a path. */
  readonly httpUrl: string;
  readonly grpcUrl: string;
  readonly spans: readonly ReceivedSpan[];
  /** Headers and metadata of the last export. */
  readonly headers: Readonly<Record<string, unknown>>;
  /** How many exports came, whatever was answered. */
  readonly exports: number;
  /** The next exports are answered with these statuses of HTTP, or UNAVAILABLE over gRPC. */
  refuse(...statuses: number[]): void;
  close(): void;
}

interface RawValue {
  readonly value?: string;
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly intValue?: string;
  readonly doubleValue?: number;
}

interface RawAttribute {
  readonly key: string;
  readonly value: RawValue;
}

interface RawSpan {
  readonly traceId: Buffer;
  readonly spanId: Buffer;
  readonly parentSpanId: Buffer;
  readonly traceState: string;
  readonly flags: number;
  readonly name: string;
  readonly kind: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly RawAttribute[];
  readonly links: readonly {
    readonly traceId: Buffer;
    readonly spanId: Buffer;
    readonly attributes: readonly RawAttribute[];
  }[];
  readonly status: { readonly code: string } | null;
}

interface RawExport {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly RawAttribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly RawSpan[] }[];
  }[];
}

export async function startCollector(): Promise<Collector> {
  const definition = loadSync(FILE, {
    includeDirs: [PROTO],
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  });
  const service = definition[SERVICE] as ServiceDefinition;
  const method = service["Export"] as unknown as MethodDefinition<object, object>;
  const spans: ReceivedSpan[] = [];
  const refusals: number[] = [];
  let headers: Readonly<Record<string, unknown>> = {};
  let exports = 0;
  const take = (request: RawExport, given: Readonly<Record<string, unknown>>): number | undefined => {
    headers = given;
    exports += 1;
    const refusal = refusals.shift();
    if (refusal === undefined) spans.push(...spansOf(request));
    return refusal;
  };

  const http = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    if (request.url !== "/v1/traces" || request.headers["content-type"] !== "application/x-protobuf") {
      response.writeHead(404).end();
      return;
    }
    const message = method.requestDeserialize(Buffer.concat(parts)) as RawExport;
    const refusal = take(message, request.headers);
    response.writeHead(refusal ?? 200, { "content-type": "application/x-protobuf" });
    response.end(refusal === undefined ? method.responseSerialize({}) : undefined);
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");

  const grpc = new Server();
  grpc.addService(service, {
    Export(
      call: { readonly request: RawExport; readonly metadata: { getMap(): Record<string, unknown> } },
      callback: (error: object | null, answer?: object) => void,
    ) {
      const refusal = take(call.request, call.metadata.getMap());
      if (refusal === undefined) callback(null, {});
      else callback({ code: status.UNAVAILABLE, details: "later" });
    },
  });
  const grpcPort = await new Promise<number>((resolve, reject) => {
    grpc.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });

  return {
    httpUrl: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    grpcUrl: `http://127.0.0.1:${grpcPort}`,
    spans,
    get headers() {
      return headers;
    },
    get exports() {
      return exports;
    },
    refuse: (...statuses) => refusals.push(...statuses),
    close() {
      http.closeAllConnections();
      http.close();
      grpc.forceShutdown();
    },
  };
}

function spansOf({ resourceSpans }: RawExport): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) => spans.map((span) => spanOf(span, attributesOf(resource.attributes)))),
  );
}

function spanOf(span: RawSpan, resource: Attributes): ReceivedSpan {
  return {
    traceId: span.traceId.toString("hex"),
    spanId: span.spanId.toString("hex"),
    parentSpanId: span.parentSpanId.toString("hex"),
    traceState: span.traceState,
    flags: span.flags,
    name: span.name,
    kind: span.kind,
    startNanos: BigInt(span.startTimeUnixNano),
    endNanos: BigInt(span.endTimeUnixNano),
    attributes: attributesOf(span.attributes),
    links: span.links.map(({ traceId, spanId, attributes }) => ({
      traceId: traceId.toString("hex"),
      spanId: spanId.toString("hex"),
      attributes: attributesOf(attributes),
    })),
    status: span.status?.code ?? "STATUS_CODE_UNSET",
    resource,
  };
}

function attributesOf(attributes: readonly RawAttribute[]): Attributes {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plainValue(value)]));
}

function plainValue(value: RawValue): Value {
  if (value.value === "intValue") return Number(value.intValue);
  if (value.value === "doubleValue") return value.doubleValue;
  return value.value === "boolValue" ? value.boolValue : value.stringValue;
}
