import { type Datatype, isDatatype, ServeError } from "@sconce/protocol";
import type { HttpResponse } from "./ask-endpoint.ts";
import { ClientError } from "./client-error.ts";
import { type NestedValue, nestedTensor } from "./nested-values.ts";
import { fromWire, type TypedTensor, tensor } from "./typed-tensor.ts";

/** What a model answered. */
export interface InferResponse {
  readonly model: string;
  readonly version: string;
  readonly id: string | undefined;
  readonly outputs: Readonly<Record<string, TypedTensor>>;
  /** The server's id of the request, under which its log has more. */
  readonly requestId: string | undefined;
  /** What the server says of its own time, in milliseconds by stage (`Server-Timing`). */
  readonly serverMs: Readonly<Record<string, number>>;
}

interface WireOutput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly parameters?: { readonly binary_data_size?: number };
  readonly data?: NestedValue;
}

interface WireResponse {
  readonly model_name: string;
  readonly model_version?: string;
  readonly id?: string;
  readonly outputs: readonly WireOutput[];
}

/** Reads a response to an inference, binary or JSON. Throws ClientError (`data_loss`) for one that cannot be read. */
export function inferResponse(answer: HttpResponse): InferResponse {
  try {
    const { head, tail } = parts(answer);
    return {
      model: head.model_name,
      version: head.model_version ?? "",
      id: head.id,
      outputs: outputsOf(head.outputs, tail),
      requestId: answer.headers.get("x-request-id") ?? undefined,
      serverMs: serverMs(answer.headers.get("server-timing") ?? ""),
    };
  } catch (error) {
    throw new ClientError(
      "data_loss",
      `${answer.endpoint} sent an answer that cannot be read: ${(error as Error).message}`,
      {
        cause: error,
        trace: { endpoint: answer.endpoint, status: 200 },
      },
    );
  }
}

function parts({ headers, bytes }: HttpResponse): { readonly head: WireResponse; readonly tail: Uint8Array } {
  const length = headers.get("inference-header-content-length");
  const end = length === null ? bytes.length : Number(length);
  if (!(end >= 0 && end <= bytes.length))
    throw new ServeError("invalid_argument", `its head would have ${length} bytes of ${bytes.length}`);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))) as Partial<WireResponse> | null;
  if (typeof head?.model_name !== "string" || !Array.isArray(head.outputs))
    throw new ServeError("invalid_argument", "its head has no model_name or no outputs");
  return { head: head as WireResponse, tail: bytes.subarray(end) };
}

function outputsOf(outputs: readonly WireOutput[], tail: Uint8Array): Readonly<Record<string, TypedTensor>> {
  let at = 0;
  const found = outputs.map(({ name, datatype, shape, parameters, data }): [string, TypedTensor] => {
    if (!isDatatype(datatype)) throw new ServeError("invalid_argument", `${datatype} is no datatype`);
    const size = parameters?.binary_data_size;
    if (size === undefined) return [name, fromJson(datatype, shape, { data: data ?? [], field: name })];
    const bytes = tail.subarray(at, at + size);
    at += size;
    return [name, fromWire(datatype, shape, { bytes, field: name })];
  });
  return Object.fromEntries(found);
}

/** JSON has elements flat or nested; the shape stands beside them. */
function fromJson(
  datatype: Datatype,
  shape: readonly number[],
  { data, field }: { readonly data: NestedValue; readonly field: string },
): TypedTensor {
  const flat = Array.isArray(data) && data.length > 0 && Array.isArray(data[0]) ? data.flat(32) : data;
  return tensor(datatype, shape, nestedTensor(datatype, flat as NestedValue, field).data as never);
}

/** `receive;dur=0.1, compute;dur=2` in milliseconds by name (W3C Server Timing). */
function serverMs(header: string): Readonly<Record<string, number>> {
  const stages = header.matchAll(/([\w-]+)\s*;\s*dur=([\d.]+)/g);
  return Object.fromEntries([...stages].map(([, stage, ms]) => [stage!, Number(ms)]));
}
