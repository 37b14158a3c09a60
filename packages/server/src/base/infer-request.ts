import type { CancelSignal } from "./call-signal.ts";
import type { RequestStream } from "./request-stream.ts";
import type { NamedTensor } from "./tensor.ts";
import type { Timeline } from "./timeline.ts";

export type ParameterValue = boolean | number | bigint | string;
export type Parameters = ReadonlyMap<string, ParameterValue>;

export const NO_PARAMETERS: Parameters = new Map();

/** A piece of an answer, in the model's own words. Both are views on a received block. */
export interface ResponsePiece {
  readonly head: Uint8Array;
  readonly body: Uint8Array;
}

/** One inference, free of any wire protocol. Input bytes are views on the received buffer: nobody may write to them. */
export interface InferRequest {
  readonly model: string;
  /** Undefined: the version policy chooses. */
  readonly version: string | undefined;
  /** The client's own id, echoed. */
  readonly id: string | undefined;
  readonly inputs: readonly NamedTensor[];
  /** Names of the outputs wanted, in order; undefined: all. */
  readonly outputs: readonly string[] | undefined;
  /** How many of the best classes are wanted in place of an output, by its name; undefined: none. */
  readonly classify?: ReadonlyMap<string, number> | undefined;
  readonly parameters: Parameters;
  /** 1 is highest; 0 means the model's default. */
  readonly priority: number;
  /** Monotonic milliseconds after which the answer is worthless. */
  readonly deadlineMs: number | undefined;
  /** Aborted when the client left or the deadline passed. */
  readonly signal: CancelSignal;
  /** Whose request it is, as far as the operator lets requests say so; undefined: nobody's in particular. */
  readonly tenant?: string | undefined;
  /** What the header says that tells which version of a rollout it goes to; undefined: nothing. */
  readonly routeKey?: string | undefined;
  /** Part of a request whose tenant was charged for it: it costs no more of the quota. */
  readonly isCharged?: boolean;
  /** It must not share a run: its inputs do not agree on how many rows it has, for instance. */
  readonly isAlone?: boolean;
  /** The stream it came in; undefined: it came alone. */
  readonly stream?: RequestStream | undefined;
  /** Told of each piece of the answer that comes before it is whole, of models that give pieces. Must not throw. Default: nobody is. */
  readonly onPiece?: ((piece: ResponsePiece) => void) | undefined;
  readonly timeline: Timeline;
  /** Bytes of outputs that the protocol can carry; undefined: any number. */
  readonly maxResponseBytes?: number | undefined;
}

export interface InferResponse {
  readonly model: string;
  readonly version: string;
  readonly id: string | undefined;
  readonly outputs: readonly NamedTensor[];
  readonly parameters: Parameters;
  /** How many rows shared the run that answered this request. */
  readonly batchRows: number;
}

/** Bytes of all tensors of an answer. */
export function outputBytes({ outputs }: Pick<InferResponse, "outputs">): number {
  let bytes = 0;
  for (let i = 0; i < outputs.length; i++) bytes += outputs[i]!.bytes.length;
  return bytes;
}
