/**
 * Why a file could not be used. `corrupt`: it breaks its format. `limit`: it passes a limit of the reader. `unsupported`: it is
 * well formed, but needs something this library does not do; the message names all of it and says what to do instead. `unreadable`: the
 * file system failed, and says how in the cause; nothing is said about the file.
 */
export type ModelFileErrorKind = "corrupt" | "limit" | "unsupported" | "unreadable";

/** The one error this package throws about files. The message is for the user and never holds paths. */
export class ModelFileError extends Error {
  override readonly name = "ModelFileError";
  readonly kind: ModelFileErrorKind;

  constructor(kind: ModelFileErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** For what cannot happen: a failed invariant is a bug of ours, not of the file. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`invariant: ${message}`);
}
