import { type InferResponse, NO_PARAMETERS } from "../base/infer-request.ts";
import type { StepTimes, Timeline } from "../base/timeline.ts";
import { cutPayload, decodeHead, encodeHead, type HeadSizes } from "./head-codec.ts";
import type { ReadLayouts, SpelledLayouts } from "./layouts.ts";
import { linkError } from "./link-methods.ts";
import { type LinkedRun, LinkedTrace } from "./linked-trace.ts";
import type { MachineClock } from "./machine-clock.ts";
import { decodeParameters, encodeParameters, type WireParameters } from "./parameter-codec.ts";
import { placed, type TensorLayout } from "./request-codec.ts";

/** What responses of one model say again and again. */
export interface ResponseLayout {
  readonly model: string;
  readonly version: string;
  readonly outputs: readonly TensorLayout[];
}

interface More {
  readonly parameters?: WireParameters;
  readonly steps?: readonly StepTimes[];
  /** That a request had a part in which is traced at the other end. */
  readonly runs?: readonly LinkedRun[];
}

const SIZES: HeadSizes = { numbers: 5, counts: 2 };

/** The header of a response's frame, with the stamps of its timeline. Its payload is the bytes of its outputs. */
export function encodeResponse(
  response: InferResponse,
  timeline: Timeline,
  { layouts, machine }: { readonly layouts: SpelledLayouts; readonly machine: MachineClock },
): Uint8Array {
  const { model, version, outputs, parameters, batchRows } = response;
  const { steps, trace } = timeline;
  const runs = trace instanceof LinkedTrace ? trace.runs : undefined;
  const isPlain = parameters.size === 0 && steps === undefined && runs === undefined;
  const text = JSON.stringify({
    model,
    version,
    outputs: outputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
  });
  const { id, isNew } = layouts.idOf(text);
  return encodeHead({
    numbers: [
      machine.toMachine(timeline.enqueuedMs),
      machine.toMachine(timeline.claimedMs),
      machine.toMachine(timeline.dispatchedMs),
      machine.toMachine(timeline.answeredMs),
      timeline.computeMs,
    ],
    counts: [id, batchRows],
    lengths: outputs.map(({ bytes }) => bytes.length),
    layout: isNew ? text : "",
    more: isPlain
      ? ""
      : JSON.stringify(moreOf(response, { steps: steps && shifted(steps, machine.toMachine), runs })),
  });
}

function shifted(steps: readonly StepTimes[], shift: (ms: number) => number): readonly StepTimes[] {
  return steps.map((step) => ({ ...step, endedMs: shift(step.endedMs) }));
}

function moreOf(
  { parameters }: InferResponse,
  {
    steps,
    runs,
  }: { readonly steps: readonly StepTimes[] | undefined; readonly runs: readonly LinkedRun[] | undefined },
): More {
  return {
    ...(parameters.size > 0 && { parameters: encodeParameters(parameters) }),
    ...(steps !== undefined && { steps }),
    ...(runs !== undefined && { runs }),
  };
}

/** The tensors are views on the payload. Writes the stamps that the other process made into `timeline`. Throws ServeError `internal` for what is no response. */
export function decodeResponse(
  { header, payload }: { readonly header: Uint8Array; readonly payload: Uint8Array },
  timeline: Timeline,
  { layouts, machine }: { readonly layouts: ReadLayouts<ResponseLayout>; readonly machine: MachineClock },
): Omit<InferResponse, "id"> {
  const head = decodeHead(header, SIZES);
  const [enqueued, claimed, dispatched, answered, computeMs] = head.numbers as [
    number,
    number,
    number,
    number,
    number,
  ];
  const [layoutId, batchRows] = head.counts as [number, number];
  const layout = layouts.read(layoutId, head.layout);
  if (layout === undefined) throw linkError("a response has no layout");
  timeline.enqueuedMs = machine.fromMachine(enqueued);
  timeline.claimedMs = machine.fromMachine(claimed);
  timeline.dispatchedMs = machine.fromMachine(dispatched);
  timeline.answeredMs = machine.fromMachine(answered);
  timeline.computeMs = computeMs;
  const more = head.more === "" ? undefined : (JSON.parse(head.more) as More);
  if (more?.steps !== undefined) timeline.steps = shifted(more.steps, machine.fromMachine);
  for (const [run, ownRows] of more?.runs ?? []) timeline.trace?.ran(run, ownRows);
  return {
    model: layout.model,
    version: layout.version,
    outputs: placed(layout.outputs, cutPayload(payload, head.lengths)),
    parameters: more?.parameters === undefined ? NO_PARAMETERS : decodeParameters(more.parameters),
    batchRows,
  };
}
