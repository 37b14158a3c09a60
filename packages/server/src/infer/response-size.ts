import type { Signature, TensorSpec } from "../base/signature.ts";
import { elementBytes, type NamedTensor } from "../base/tensor.ts";

/** The least bytes that the outputs of a request will have, by the sizes of its inputs (checked, in signature order). `outputs`: those it wants; undefined: all. */
export type ResponseSize = (inputs: readonly NamedTensor[], outputs: readonly string[] | undefined) => number;

/** Where a request says how large a symbol is. */
interface Site {
  readonly input: number;
  readonly axis: number;
}

interface OutputSize {
  readonly name: string;
  /** Bytes, times the sizes at the sites. */
  readonly bytes: number;
  readonly sites: readonly Site[];
}

/** A BYTES element is its length and its bytes. */
const LEAST_BYTES_ELEMENT = 4;

/** Works out once per model what the signature says of the size of its responses. */
export function compileResponseSize({ inputs, outputs }: Signature): ResponseSize {
  const sites = sitesOf(inputs);
  const sizes = outputs.map((spec) => outputSize(spec, sites));
  return (given, wanted) => {
    let total = 0;
    for (let i = 0; i < sizes.length; i++) {
      const { name, bytes, sites: factors } = sizes[i]!;
      if (wanted !== undefined && !wanted.includes(name)) continue;
      let size = bytes;
      for (let f = 0; f < factors.length; f++) size *= given[factors[f]!.input]!.shape[factors[f]!.axis]!;
      total += size;
    }
    return total;
  };
}

function sitesOf(inputs: readonly TensorSpec[]): ReadonlyMap<string, Site> {
  const sites = new Map<string, Site>();
  inputs.forEach(({ dims }, input) => {
    dims.forEach((dim, axis) => {
      if (typeof dim !== "number" && !sites.has(dim.symbol)) sites.set(dim.symbol, { input, axis });
    });
  });
  return sites;
}

function outputSize({ name, datatype, dims }: TensorSpec, known: ReadonlyMap<string, Site>): OutputSize {
  let bytes = datatype === "BYTES" ? LEAST_BYTES_ELEMENT : elementBytes(datatype);
  const sites: Site[] = [];
  for (const dim of dims) {
    const site = typeof dim === "number" ? undefined : known.get(dim.symbol);
    if (site !== undefined) sites.push(site);
    // A size that the model finds out is at least what it declares.
    else bytes *= typeof dim === "number" ? dim : Math.max(0, dim.min);
  }
  return { name, bytes, sites };
}
