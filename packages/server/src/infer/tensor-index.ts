import type { TensorSpec } from "../base/signature.ts";

/** The places of a model's inputs (or outputs), by every name that a request may use. A name wins over another's alias. */
export function tensorIndex(specs: readonly TensorSpec[]): ReadonlyMap<string, number> {
  const aliases = specs.flatMap(({ aliases = [] }, i) => aliases.map((alias) => [alias, i] as const));
  return new Map([...aliases, ...specs.map(({ name }, i) => [name, i] as const)]);
}
