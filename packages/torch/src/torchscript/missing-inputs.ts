import { ModelFileError } from "../errors.ts";

/** A scripted program whose inputs nobody has stated. How a user states them is for the caller to say. */
export class MissingInputs extends ModelFileError {
  /** What `inputs` could be, in YAML: `{x: "float32[batch, 3, 224, 224]"}`. */
  readonly example: string;

  constructor(missing: readonly string[], optional: readonly string[]) {
    const quoted = (names: readonly string[]): string => names.map((name) => `'${name}'`).join(", ");
    const more = optional.length === 0 ? "" : `; ${quoted(optional)} may be stated too`;
    super(
      "unsupported",
      `the TorchScript archive does not say what its input ${quoted(missing)} looks like, as scripted programs do not: state its type and ` +
        `sizes in 'inputs', with a name for every size that callers choose${more}`,
    );
    this.example = `{${missing.map((name) => `${name}: "float32[batch, 3, 224, 224]"`).join(", ")}}`;
  }
}
