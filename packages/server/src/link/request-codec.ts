import { type InferRequest, NO_PARAMETERS } from "../base/infer-request.ts";
import type { SpanPlace } from "../base/span-place.ts";
import type { Datatype, NamedTensor } from "../base/tensor.ts";
import { cutPayload, decodeHead, encodeHead, type HeadSizes } from "./head-codec.ts";
import type { ReadLayouts, SpelledLayouts } from "./layouts.ts";
import { linkError } from "./link-methods.ts";
import type { MachineClock } from "./machine-clock.ts";
import { decodeParameters, encodeParameters, type WireParameters } from "./parameter-codec.ts";

/** What requests of one client say again and again. */
export interface RequestLayout {
  readonly model: string;
  readonly version?: string | undefined;
  readonly tenant?: string | undefined;
  readonly inputs: readonly TensorLayout[];
  readonly outputs?: readonly string[] | undefined;
}

export interface TensorLayout {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

interface More {
  readonly trace?: SpanPlace;
  readonly parameters?: WireParameters;
  readonly classify?: readonly (readonly [string, number])[];
  readonly routeKey?: string;
}

/** A request as it came over a link; what binds it to a process is missing. */
export interface ReceivedRequest
  extends Omit<InferRequest, "id" | "signal" | "stream" | "onPiece" | "timeline"> {
  readonly receivedMs: number;
  readonly bodyMs: number;
  /** The number of its stream at the other end; 0: it came alone. */
  readonly streamId: number;
  /** Of the model, as the other end knew it when it read the request; 0: it did not. */
  readonly revision: number;
  readonly wantsPieces: boolean;
  /** Undefined: nothing of it is recorded. */
  readonly trace: SpanPlace | undefined;
}

const SIZES: HeadSizes = { numbers: 4, counts: 5 };
const IS_ALONE = 1;
const WANTS_PIECES = 2;

/** The header of a request's frame. Its payload is the bytes of its inputs, one after the other. */
export function encodeRequest(
  request: InferRequest,
  { streamId, revision }: Pick<ReceivedRequest, "streamId" | "revision">,
  { layouts, machine }: { readonly layouts: SpelledLayouts; readonly machine: MachineClock },
): Uint8Array {
  const { model, version, tenant, inputs, outputs, parameters, classify, timeline } = request;
  const text = JSON.stringify({ model, version, tenant, inputs: inputs.map(layoutOf), outputs });
  const { id, isNew } = layouts.idOf(text);
  const isTraced = timeline.trace?.isSampled === true;
  const isPlain =
    parameters.size === 0 && classify === undefined && request.routeKey === undefined && !isTraced;
  return encodeHead({
    numbers: [
      machine.toMachine(timeline.receivedMs),
      machine.toMachine(timeline.bodyMs),
      machine.toMachine(request.deadlineMs ?? Number.NaN),
      request.maxResponseBytes ?? Number.NaN,
    ],
    counts: [
      id,
      streamId,
      revision,
      request.priority,
      (request.isAlone === true ? IS_ALONE : 0) | (request.onPiece === undefined ? 0 : WANTS_PIECES),
    ],
    lengths: inputs.map(({ bytes }) => bytes.length),
    layout: isNew ? text : "",
    more: isPlain ? "" : JSON.stringify(moreOf(request)),
  });
}

function layoutOf({ name, datatype, shape }: NamedTensor): TensorLayout {
  return { name, datatype, shape };
}

function moreOf({ parameters, classify, routeKey, timeline: { trace } }: InferRequest): More {
  return {
    ...(trace?.isSampled === true && { trace: { traceId: trace.traceId, spanId: trace.spanId } }),
    ...(parameters.size > 0 && { parameters: encodeParameters(parameters) }),
    ...(classify !== undefined && { classify: [...classify] }),
    ...(routeKey !== undefined && { routeKey }),
  };
}

/** The tensors are views on the payload. Throws ServeError `internal` for what is no request. */
export function decodeRequest(
  { header, payload }: { readonly header: Uint8Array; readonly payload: Uint8Array },
  { layouts, machine }: { readonly layouts: ReadLayouts<RequestLayout>; readonly machine: MachineClock },
): ReceivedRequest {
  const head = decodeHead(header, SIZES);
  const [received, body, deadline, maxBytes] = head.numbers as [number, number, number, number];
  const [layoutId, streamId, revision, priority, flags] = head.counts as [
    number,
    number,
    number,
    number,
    number,
  ];
  const layout = layouts.read(layoutId, head.layout);
  if (layout === undefined) throw linkError("a request has no layout");
  const { parameters, classify, routeKey, trace } =
    head.more === "" ? NO_MORE : (JSON.parse(head.more) as More);
  return {
    model: layout.model,
    version: layout.version,
    tenant: layout.tenant,
    routeKey,
    inputs: placed(layout.inputs, cutPayload(payload, head.lengths)),
    outputs: layout.outputs,
    classify: classify === undefined ? undefined : new Map(classify),
    parameters: parameters === undefined ? NO_PARAMETERS : decodeParameters(parameters),
    priority,
    deadlineMs: Number.isNaN(deadline) ? undefined : machine.fromMachine(deadline),
    maxResponseBytes: Number.isNaN(maxBytes) ? undefined : maxBytes,
    isAlone: (flags & IS_ALONE) !== 0,
    receivedMs: machine.fromMachine(received),
    bodyMs: machine.fromMachine(body),
    streamId,
    revision,
    wantsPieces: (flags & WANTS_PIECES) !== 0,
    trace,
  };
}

const NO_MORE: More = {};

/** Tensors of a layout, whose bytes are these. */
export function placed(layouts: readonly TensorLayout[], parts: readonly Uint8Array[]): NamedTensor[] {
  if (parts.length !== layouts.length) throw linkError("there are not as many tensors as the layout has");
  const tensors: NamedTensor[] = [];
  for (let i = 0; i < layouts.length; i++) {
    const { name, datatype, shape } = layouts[i]!;
    tensors.push({ name, datatype, shape, bytes: parts[i]! });
  }
  return tensors;
}
