import { ServeError } from "../base/errors.ts";
import type { Signature } from "../base/signature.ts";

/** Checks the outputs a request asks for. Throws `invalid_argument` that names the output and what there is. */
export type OutputCheck = (wanted: readonly string[]) => void;

/** Compiles the check of a signature, once per model. */
export function compileOutputCheck(signature: Signature): OutputCheck {
  const known = new Set(signature.outputs.map((spec) => spec.name));
  return (wanted) => {
    for (let i = 0; i < wanted.length; i++) {
      const name = wanted[i]!;
      if (!known.has(name)) {
        const names = [...known].map((other) => `"${other}"`).join(", ");
        refuse(
          `output ${JSON.stringify(name.slice(0, 64))}: the model has no such output; it gives ${names}`,
        );
      }
      if (wanted.indexOf(name) !== i) refuse(`output "${name}" is asked for twice`);
    }
  };
}

function refuse(message: string): never {
  throw new ServeError("invalid_argument", message, { reason: "bad_output_name" });
}
