/** Why one op cannot be translated. The driver catches it, reports the op, and goes on with the others. */
export class Unsupported extends Error {
  override readonly name = "Unsupported";
}

/** Refuses the op at hand. The reason completes "cannot be translated: …" and, where possible, says what would work. */
export function unsupported(reason: string): never {
  throw new Unsupported(reason);
}
