import type { Datatype, ElementArrays } from "../../../base/tensor.ts";

/** What the values of a datatype are in JavaScript. FP16 and BF16 are their bits. */
interface DataOf extends ElementArrays {
  readonly BYTES: readonly string[];
}

/** One of a model's outputs as a handler gets it: row-major values and their shape. */
export type HandlerTensor<D extends Datatype = Datatype> = {
  readonly [K in D]: { readonly datatype: K; readonly shape: readonly number[]; readonly data: DataOf[K] };
}[D];

/** Numbers, truths or texts, nested as the tensor is. */
export type NestedValues = number | bigint | boolean | string | readonly NestedValues[];

/**
 * One of a model's inputs as a handler makes it: nested lists, or values in one list with their shape. They become the datatype that the
 * model takes; the batch dimension may be left out.
 */
export type HandlerInput =
  | NestedValues
  | { readonly shape: readonly number[]; readonly data: ArrayLike<number | bigint | boolean | string> };

/** What a model takes and gives, by name: `{ inputs: { x: HandlerInput }, outputs: { logits: HandlerTensor<"FP32"> } }`. */
export interface HandlerModel {
  readonly inputs: Readonly<Record<string, HandlerInput>>;
  readonly outputs: Readonly<Record<string, HandlerTensor>>;
}

/** A body that is no JSON, or a file of a form. */
export interface HandlerFile {
  /** Media type, such as `image/png`; "" when the client said none. */
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** What a handler is told beside its input. */
export interface HandlerContext {
  /** `parameters` of the request. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Set by `preprocess` for `postprocess`; JSON. */
  state: unknown;
}

/** What surrounds a model. Each part may be left out: tensors come as nested lists then, and go so. */
export interface ModelHandler<M extends HandlerModel = HandlerModel> {
  /** Makes the model's inputs of what a client sent: a JSON value, or a file. */
  preprocess?(input: unknown, context: HandlerContext): M["inputs"] | Promise<M["inputs"]>;
  /** Makes the answer, which is JSON, of the model's outputs. */
  postprocess?(outputs: M["outputs"], context: HandlerContext): unknown;
}

/** Types a handler; it is what `handler.js` beside a model exports by default. */
export function defineHandler<M extends HandlerModel = HandlerModel>(
  handler: ModelHandler<M>,
): ModelHandler<M> {
  return handler;
}

/** What code between models takes and gives, by the names that its model.yaml says. */
export interface TransformTensors {
  readonly inputs: Readonly<Record<string, HandlerTensor>>;
  readonly outputs: Readonly<Record<string, HandlerInput>>;
}

/** Makes tensors of tensors. */
export type Transform<T extends TransformTensors = TransformTensors> = (
  inputs: T["inputs"],
) => T["outputs"] | Promise<T["outputs"]>;

/** Types code between models; it is what `handler.js` exports by default in a folder without a model. */
export function defineTransform<T extends TransformTensors = TransformTensors>(
  transform: Transform<T>,
): Transform<T> {
  return transform;
}

/** Thrown by a handler that cannot take an input: the client gets the message, with status 400. */
export class InputError extends Error {
  override readonly name = "InputError";
}
