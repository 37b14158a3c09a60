import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import { encodeExport, encodeSharedHead } from "./encode-spans.ts";
import { createGrpcSender } from "./grpc-sender.ts";
import { createHttpSender } from "./http-sender.ts";
import type { Sampling } from "./sampler.ts";
import type { Attributes } from "./span.ts";
import { type ExporterLimits, SpanExporter } from "./span-exporter.ts";
import { SpanMaker } from "./span-maker.ts";
import type { SenderTls } from "./span-sender.ts";
import { createTracer, type SpanTracer } from "./tracer.ts";

/** Where traces go, and which. */
export interface TracingSettings {
  readonly endpoint: URL;
  readonly protocol: "http/protobuf" | "grpc";
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: SenderTls;
  readonly sampling: Sampling;
  /** Attributes of the resource: `service.name` and its like. */
  readonly resource: Attributes;
  readonly limits: ExporterLimits;
}

export interface TracingParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly random: () => number;
  readonly version: string;
}

/** Traces requests, and sends their spans to a collector. */
export interface Tracing {
  readonly tracer: SpanTracer;
  /** Sends what waits, for so long at most. */
  close(limitMs: number): Promise<void>;
}

export function openTracing(settings: TracingSettings, parts: TracingParts): Tracing {
  const { clock, logger, metrics, random, version } = parts;
  const create = settings.protocol === "grpc" ? createGrpcSender : createHttpSender;
  const sender = create({
    ...settings,
    userAgent: `sconce/${version}`,
    after: (delayMs, callback) => clock.after(delayMs, callback),
  });
  const head = encodeSharedHead(settings.resource, { name: "sconce", version });
  const counter = (result: string) =>
    metrics.counter(
      "sconce_trace_spans_total",
      "Spans by what became of them: exported, dropped for want of room, or failed to be exported.",
      { result },
    );
  const counters = {
    exported: counter("exported"),
    dropped: counter("dropped"),
    failed: counter("failed"),
  };
  const exporter = new SpanExporter({
    sender,
    limits: settings.limits,
    encode: (spans) => encodeExport(head, spans),
    clock,
    random,
    logger,
    counters,
  });
  const maker = new SpanMaker({
    clock,
    onEncoded: (bytes, spans) => exporter.add(bytes, spans),
    onLost: () => counters.failed.add(1),
  });
  const tracer = createTracer({
    clock,
    wallNowMs: Date.now,
    random,
    sampling: settings.sampling,
    onSpans: (make) => maker.add(make),
  });
  return {
    tracer,
    close(limitMs) {
      maker.flush();
      return exporter.close(limitMs);
    },
  };
}
