/** Why an op of a TorchScript program cannot be read: its result has no known type. Caught per op, reported by name. */
export class UnsupportedOp extends Error {
  override readonly name = "UnsupportedOp";
  /** Where in the program's source, once known. */
  place: string | undefined;
}

/**
 * Two sizes that must agree cannot be shown to agree for every batch size. Ends the reading with a symbolic batch; it starts again with
 * the traced sizes, where all are numbers.
 */
export class UnprovenSize extends Error {
  override readonly name = "UnprovenSize";
  place: string | undefined;
}

/** Refuses the op at hand. The reason completes "cannot be read: …". */
export function unsupportedOp(reason: string): never {
  throw new UnsupportedOp(reason);
}

/** What to do about a program that cannot be followed. */
export const ADVICE = "export the model with torch.export, or serve it with the Python runtime";

/** Ops on tensors of 8-bit codes, which PyTorch's own quantization puts into a program. */
const QUANTIZED =
  /^(quantized|_quantized)\.|^aten\.(_empty_affine_quantized|_make_per_\w+|dequantize|fake_quantize\w*|int_repr|q_\w+|quantize_per_\w+|quantized_\w+)$/;

/** What to say of an op that nothing is known about. */
export function unknownOp(op: string, otherwise: string): string {
  return QUANTIZED.test(op)
    ? "PyTorch has quantized the program, and its quantized tensors are not read: save the float model and make it small with sconce quantize"
    : otherwise;
}
