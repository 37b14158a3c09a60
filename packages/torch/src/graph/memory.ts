import type { TensorType } from "./ir.ts";
import { anyOf } from "./size-conditions.ts";
import type { Dim } from "./sym.ts";
import type { ViewStep } from "./view-replay.ts";

/** Memory that tensors share. */
export interface Root {
  readonly name: string;
  /** The value that holds the memory's content now. */
  current: string;
  readonly type: TensorType;
  /** Counts the writes. */
  version: number;
  /** Roots that may be the same memory. */
  readonly relatives: Set<Root>;
  /** Set when a relative was written to: the content is not known any more. */
  lostTo: string | undefined;
  /** What this is a copy of, or what is a copy of it, and at which sizes that is so. */
  readonly copies: Map<Root, Dim>;
  /** Conditions under which it is not what was written into elsewhere, until it is used. */
  demands: Dim[];
}

export interface View {
  readonly root: Root;
  readonly steps: readonly ViewStep[];
  /** All names of this very tensor: what changes its shape changes it for all of them. */
  readonly names: Set<string>;
  /** The value that shows this view, and the version of the root that it shows. */
  name: string;
  version: number;
}

/** Memory of its own for a tensor, which is a view of all of it. */
export function startRoot(name: string, type: TensorType): View {
  const root: Root = {
    name,
    current: name,
    type,
    version: 0,
    relatives: new Set(),
    lostTo: undefined,
    copies: new Map(),
    demands: [],
  };
  return { root, steps: [], names: new Set([name]), name, version: 0 };
}

/** How a view shows its memory. */
export function typeOf({ root, steps }: View): TensorType {
  return steps.at(-1)?.to ?? root.type;
}

/** Two roots may be one, and with them what either may be. */
export function relate(root: Root, other: Root): void {
  for (const relative of [other, ...other.relatives]) {
    root.relatives.add(relative);
    relative.relatives.add(root);
  }
}

/** Says of what may be the same memory as a root that was written to, at some sizes, that it must not be. */
export function demandApart(root: Root): void {
  const reached = new Map<Root, Dim>([root, ...root.relatives].map((start) => [start, 0]));
  for (const [from, so] of reached) {
    for (const [to, condition] of from.copies) {
      const apart = anyOf([so, condition]);
      for (const one of [to, ...to.relatives]) if (!reached.has(one)) reached.set(one, apart);
    }
  }
  for (const [one, apart] of reached) if (apart !== 0) one.demands.push(apart);
}
