import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FieldWriter } from "./field-writer.ts";
import type { Attributes, AttributeValue, SpanLink, TraceSpan } from "./span.ts";

/**
 * OTLP's `ExportTraceServiceRequest`, written with the numbers of opentelemetry/proto/trace/v1/trace.proto: the messages are few, and a
 * writer that is made for them takes a tenth of the time that a general encoder takes. conformance/src/tracing reads them with OpenTelemetry's own files.
 */
const RESOURCE_SPANS = 1;
const [RESOURCE, SCOPE_SPANS] = [1, 2];
const [SCOPE, SPANS] = [1, 2];
const STATUS_ERROR = 2;
const FLAG_SAMPLED = 0x01;
const FLAG_KNOWS_REMOTE = 0x100;
const FLAG_REMOTE = 0x200;

/** What all spans of an export share, encoded once. */
export interface SharedHead {
  readonly resource: Uint8Array;
  readonly scope: Uint8Array;
}

export function encodeSharedHead(
  resource: Attributes,
  scope: { readonly name: string; readonly version: string },
): SharedHead {
  const writer = new FieldWriter();
  const resourceAt = writer.open(RESOURCE);
  writeAttributes(writer, 1, resource);
  writer.close(resourceAt);
  const resourceBytes = writer.take();
  const scopeAt = writer.open(SCOPE);
  writer.text(1, scope.name);
  writer.text(2, scope.version);
  writer.close(scopeAt);
  return { resource: resourceBytes, scope: writer.take() };
}

/** The message around spans that `encodeSpans` encoded. */
export function encodeExport(head: SharedHead, spans: readonly Uint8Array[]): Uint8Array {
  const spanBytes = spans.reduce((sum, { length }) => sum + length, 0);
  const scoped = head.scope.length + spanBytes;
  const scopedHead = new BinaryWriter().tag(SCOPE_SPANS, WireType.LengthDelimited).uint32(scoped).finish();
  const outer = new BinaryWriter()
    .tag(RESOURCE_SPANS, WireType.LengthDelimited)
    .uint32(head.resource.length + scopedHead.length + scoped)
    .finish();
  return Buffer.concat([outer, head.resource, scopedHead, head.scope, ...spans]);
}

/** Makes what encodes spans as fields of a `ScopeSpans`, one after the other. */
export function createSpanEncoder(): (spans: readonly TraceSpan[]) => Uint8Array {
  const writer = new FieldWriter();
  return (spans) => {
    for (const span of spans) {
      const at = writer.open(SPANS);
      writeSpan(writer, span);
      writer.close(at);
    }
    return writer.take();
  };
}

function writeSpan(writer: FieldWriter, span: TraceSpan): void {
  writer.hex(1, span.traceId);
  writer.hex(2, span.spanId);
  if (span.traceState !== "") writer.text(3, span.traceState);
  if (span.parentSpanId !== "") writer.hex(4, span.parentSpanId);
  writer.text(5, span.name);
  writer.integer(6, span.kind);
  writer.nanos(7, span.startMs);
  writer.nanos(8, span.endMs);
  writeAttributes(writer, 9, span.attributes);
  for (const link of span.links) writeLink(writer, link);
  if (span.error !== undefined) {
    const at = writer.open(15);
    if (span.error !== "") writer.text(2, span.error);
    writer.integer(3, STATUS_ERROR);
    writer.close(at);
  }
  writer.fixed32(16, FLAG_SAMPLED | FLAG_KNOWS_REMOTE | (span.isParentRemote ? FLAG_REMOTE : 0));
}

function writeLink(writer: FieldWriter, { traceId, spanId, attributes }: SpanLink): void {
  const at = writer.open(13);
  writer.hex(1, traceId);
  writer.hex(2, spanId);
  writeAttributes(writer, 4, attributes);
  writer.fixed32(6, FLAG_SAMPLED | FLAG_KNOWS_REMOTE);
  writer.close(at);
}

function writeAttributes(writer: FieldWriter, field: number, attributes: Attributes): void {
  for (const [key, value] of attributes) {
    const at = writer.open(field);
    writer.text(1, key);
    const valueAt = writer.open(2);
    writeValue(writer, value);
    writer.close(valueAt);
    writer.close(at);
  }
}

function writeValue(writer: FieldWriter, value: AttributeValue): void {
  if (typeof value === "string") writer.text(1, value);
  else if (typeof value === "boolean") writer.integer(2, value ? 1 : 0);
  else if (Number.isSafeInteger(value)) writer.integer(3, value);
  else writer.double(4, value);
}
