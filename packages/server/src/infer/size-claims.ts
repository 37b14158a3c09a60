import type { Signature } from "../base/signature.ts";
import type { NamedTensor } from "../base/tensor.ts";

/** A place of a symbol in the inputs. */
interface Site {
  readonly input: number;
  readonly name: string;
  readonly axis: number;
}

/** Where a request's sizes are not what the model's file claims, in words; undefined: nowhere. Takes checked inputs. */
export type ClaimCheck = (inputs: readonly NamedTensor[]) => string | undefined;

/** Compiles the claims of a signature, once per model; undefined when it has none that a request could break. */
export function compileClaimCheck(signature: Signature): ClaimCheck | undefined {
  if (signature.areSizesClaimed !== true) return undefined;
  const sites = new Map<string, Site[]>();
  for (const [input, { name, dims }] of signature.inputs.entries()) {
    for (const [axis, dim] of dims.entries()) {
      if (typeof dim === "number") continue;
      const known = sites.get(dim.symbol) ?? [];
      sites.set(dim.symbol, [...known, { input, name, axis }]);
    }
  }
  const shared = [...sites].filter(([, places]) => places.length > 1);
  if (shared.length === 0) return undefined;
  return (inputs) => {
    for (let i = 0; i < shared.length; i++) {
      const [symbol, places] = shared[i]!;
      const first = places[0]!;
      const size = sizeAt(inputs, first);
      for (let j = 1; j < places.length; j++) {
        const other = sizeAt(inputs, places[j]!);
        if (other !== size)
          return `${symbol} is ${size} in ${where(first)}, but ${other} in ${where(places[j]!)}`;
      }
    }
    return undefined;
  };
}

function sizeAt(inputs: readonly NamedTensor[], { input, axis }: Site): number | undefined {
  return inputs[input]!.shape[axis];
}

function where({ name, axis }: Site): string {
  return `dimension ${axis} of input "${name}"`;
}
