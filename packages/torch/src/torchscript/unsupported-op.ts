import type { SizeNeed } from "./size-need.ts";

/** Why an op of a TorchScript program cannot be read: its result has no known type. Caught per op, reported by name. */
export class UnsupportedOp extends Error {
  override readonly name = "UnsupportedOp";
  /** Where in the program's source, once known. */
  place: string | undefined;
  /** It only follows from an op that is reported already. */
  readonly isFollower: boolean;

  constructor(reason: string, { isFollower = false }: { readonly isFollower?: boolean } = {}) {
    super(reason);
    this.isFollower = isFollower;
  }
}

/**
 * Something that must hold of sizes cannot be shown for every size. Ends the reading; it starts again with sizes for which it holds.
 */
export class UnprovenSize extends Error {
  override readonly name = "UnprovenSize";
  readonly need: SizeNeed;
  place: string | undefined;

  constructor(message: string, need: SizeNeed) {
    super(message);
    this.need = need;
  }
}

/** Refuses the op at hand. The reason completes "cannot be read: …". */
export function unsupportedOp(reason: string): never {
  throw new UnsupportedOp(reason);
}

/** What to do about a program that cannot be followed. */
export const ADVICE = "export the model with torch.export, or serve it with the Python runtime";

/** Ops on tensors of 8-bit codes, which PyTorch's own quantization puts into a program. */
const QUANTIZED =
  /^(quantized|_quantized)\.|^aten\.(_empty_affine_quantized|_make_per_\w+|dequantize|int_repr|q_\w+|quantize_per_\w+|quantized_\w+)$/;

/** What to say of an op that nothing is known about. */
export function unknownOp(op: string, otherwise: string): string {
  return QUANTIZED.test(op)
    ? "PyTorch has quantized the program, and its quantized tensors are not read: save the float model and make it small with sconce quantize"
    : otherwise;
}
