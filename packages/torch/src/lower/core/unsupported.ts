/** Why one op cannot be translated. The driver catches it, reports the op, and goes on with the others. */
export class Unsupported extends Error {
  override readonly name = "Unsupported";
}

/** Refuses the op at hand. The reason completes "cannot be translated: …" and, where possible, says what would work. */
export function unsupported(reason: string): never {
  throw new Unsupported(reason);
}

/** Says that we failed on an op, which is no fault of the model's. What was thrown goes along for whoever mends it. */
export function ownMistake(thrown: string): string {
  return `a mistake of Sconce, please report it; PyTorch (runtime: python) runs it (${thrown})`;
}
