/** Why an op of a TorchScript program cannot be read: its result has no known type. Caught per op, reported by name. */
export class RefusedOp extends Error {
  override readonly name = "RefusedOp";
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
export function refuseOp(reason: string): never {
  throw new RefusedOp(reason);
}

/** What to do about a program that cannot be followed. */
export const ADVICE = "export the model with torch.export, or serve it with the Python runtime";
