import { ServeError } from "../base/errors.ts";
import type { Signature } from "../base/signature.ts";
import { tensorIndex } from "./tensor-index.ts";

/**
 * Checks the outputs that a request asks for, and returns them by the names of the signature: the array itself when it has those, else a
 * new one. Throws `invalid_argument` that names the output and what there is.
 */
export type OutputCheck = (wanted: readonly string[]) => readonly string[];

/** Compiles the check of a signature, once per model. */
export function compileOutputCheck({ outputs }: Signature): OutputCheck {
  const index = tensorIndex(outputs);
  const names = outputs.map(({ name }) => `"${name}"`).join(", ");
  return (wanted) => {
    let isAliased = false;
    for (let i = 0; i < wanted.length; i++) {
      const name = wanted[i]!;
      const place = index.get(name);
      if (place === undefined)
        refuse(`output ${quote(name)}: the model has no such output; it gives ${names}`);
      for (let j = 0; j < i; j++) {
        if (index.get(wanted[j]!) === place) refuse(`output "${outputs[place]!.name}" is asked for twice`);
      }
      isAliased ||= outputs[place]!.name !== name;
    }
    return isAliased ? wanted.map((name) => outputs[index.get(name)!]!.name) : wanted;
  };
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}

function refuse(message: string): never {
  throw new ServeError("invalid_argument", message, { reason: "bad_output_name" });
}
