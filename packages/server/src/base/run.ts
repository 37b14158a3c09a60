import type { CancelSignal } from "./call-signal.ts";
import type { ResponsePiece } from "./infer-request.ts";
import type { Datatype, Tensor } from "./tensor.ts";

/** One input of a run: the full (batched) shape, and its row-major bytes as pieces written one after another. */
export interface RunInput {
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly chunks: readonly Uint8Array[];
}

/** One execution of a model: inputs in signature order. The chunks must stay unchanged until the run settles. */
export interface RunRequest {
  readonly inputs: readonly RunInput[];
  /** Told of the pieces of each row's answer, before the run settles. Must not throw. Default: nobody is. */
  readonly onPiece?: ((row: number, piece: ResponsePiece) => void) | undefined;
  /** Fires when nobody wants the answer any more; instances that take one are given it. */
  readonly signal?: CancelSignal | undefined;
}

/** Outputs in signature order; the bytes are views on one received block that the receiver now owns. */
export interface RunResult {
  readonly outputs: readonly Tensor[];
  /** Time in the model, measured where it ran. */
  readonly computeMs: number;
}
