import { ServeError } from "../base/errors.ts";
import type { InferResponse } from "../base/infer-request.ts";
import type { Signature } from "../base/signature.ts";

/**
 * Which outputs a request wants, checked before it is scheduled. `positions` are indices into the signature's outputs;
 * undefined: all, in signature order.
 */
export type OutputChoice = (wanted: readonly string[] | undefined) => readonly number[] | undefined;

/** Compiles the choice for a signature, once per model. The choice throws `invalid_argument` that names the output. */
export function compileOutputChoice(signature: Signature): OutputChoice {
  const positions = new Map(signature.outputs.map((spec, index) => [spec.name, index]));
  return (wanted) => {
    if (wanted === undefined || wanted.length === 0) return undefined;
    const chosen: number[] = [];
    for (const name of wanted) {
      const position = positions.get(name);
      if (position === undefined) {
        const names = [...positions.keys()].map((known) => `"${known}"`).join(", ");
        refuse(
          `output ${JSON.stringify(name.slice(0, 64))}: the model has no such output; it gives ${names}`,
        );
      }
      if (chosen.includes(position)) refuse(`output "${name}" is wanted twice`);
      chosen.push(position);
    }
    return chosen;
  };
}

/** The answer with the chosen outputs only, in the order the request named them. */
export function chooseOutputs(
  response: InferResponse,
  positions: readonly number[] | undefined,
): InferResponse {
  if (positions === undefined) return response;
  return { ...response, outputs: positions.map((position) => response.outputs[position]!) };
}

function refuse(message: string): never {
  throw new ServeError("invalid_argument", message, { reason: "bad_output_name" });
}
