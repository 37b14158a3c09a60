import { modelShape, type Signature } from "../base/signature.ts";

/** The other shape of the same elements; undefined for a shape that does not fit. */
export type Reshape = (shape: readonly number[]) => number[] | undefined;

/** From one shape to another, −1 in both for sizes that requests choose: the first such size of the one is the first of the other. */
export function compileReshape(from: readonly number[], to: readonly number[]): Reshape {
  return (shape) => {
    if (shape.length !== from.length) return undefined;
    const free: number[] = [];
    for (let axis = 0; axis < from.length; axis++) {
      if (from[axis] === -1) free.push(shape[axis]!);
      else if (from[axis] !== shape[axis]) return undefined;
    }
    let next = 0;
    return to.map((size) => (size === -1 ? (free[next++] ?? 1) : size));
  };
}

/** What turns outputs into the shapes that clients see, by name; undefined where no output has another shape. */
export function compileOutputShapes({ outputs }: Signature): ReadonlyMap<string, Reshape> | undefined {
  const shapes = new Map<string, Reshape>();
  for (const spec of outputs)
    if (spec.wireDims !== undefined) shapes.set(spec.name, compileReshape(modelShape(spec), spec.wireDims));
  return shapes.size === 0 ? undefined : shapes;
}
