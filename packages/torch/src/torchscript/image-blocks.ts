import { sameDim } from "../graph/sym.ts";
import { requireSome } from "./shapes/dims.ts";
import type { TensorValue, Value } from "./value.ts";

const MAKES_IMAGES = /^aten\.\w*conv/;
/** Ops between convolutions that leave images as they lie. */
const KEEPS_IMAGES =
  /^aten\.(\w*pool2d|batch_norm|relu6?_?|sigmoid_?|silu_?|tanh_?|hard\w+|gelu|clamp_?|leaky_relu_?|elu_?|dropout_?|cat|add_?|sub_?|mul_?|upsample_\w+)\./;
const JOINS_IMAGES = /^aten\.(add|mul)_?\.Tensor$/;

/**
 * ONNX Runtime keeps images in blocks of channels between convolutions, and fails on a batch of none of them where two are added or
 * multiplied whose heights and widths it cannot tell to be the same. This one knows which images may lie in blocks.
 */
export class ImageBlocks {
  readonly #blocked = new Set<string>();

  /** Throws UnprovenSize where an op must not meet a batch of nothing. */
  meet(target: string, args: readonly Value[]): void {
    if (!JOINS_IMAGES.test(target)) return;
    const [a, b] = args;
    if (!this.#isBlocked(a) || !this.#isBlocked(b)) return;
    const [left, right] = [a.type.dims, b.type.dims];
    const isKnown = [2, 3].every((axis) => typeof left[axis] === "number" && left[axis] === right[axis]);
    if (!isKnown && sameDim(left[0]!, right[0]!)) requireSome(left[0]!);
  }

  note(target: string, args: readonly Value[], results: readonly TensorValue[]): void {
    const items = args.flatMap((arg) => (arg.kind === "list" ? arg.items : [arg]));
    const isBlocked =
      MAKES_IMAGES.test(target) || (KEEPS_IMAGES.test(target) && items.some((item) => this.#isBlocked(item)));
    if (isBlocked) for (const { name, type } of results) if (type.dims.length === 4) this.#blocked.add(name!);
  }

  #isBlocked(value: Value | undefined): value is TensorValue {
    return value?.kind === "tensor" && value.name !== undefined && this.#blocked.has(value.name);
  }
}
