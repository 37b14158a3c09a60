import type { Signature, TensorSpec } from "../../base/signature.ts";
import { elementBytes, elementCount, type NamedTensor } from "../../base/tensor.ts";
import { madeUp, randomNumbers } from "../trial-inputs.ts";

/** Inputs that both sides are asked with, and what to call them. */
export interface VerifyTrial {
  readonly label: string;
  readonly inputs: readonly NamedTensor[];
}

/** Sizes of a free first dimension, and of the other free ones beside it: nothing, one, small ones that are odd and even, larger ones. */
const SIZES: readonly (readonly [first: number, other: number])[] = [
  [1, 8],
  [2, 8],
  [3, 7],
  [8, 16],
  [5, 33],
  [1, 2],
  [2, 1],
  [1, 64],
  [17, 5],
  [0, 8],
];
/** Integers below it are made up, besides the smallest two: ids that most tables of tokens have. */
const ID_BOUND = 50;

type Pattern = (spec: TensorSpec, shape: readonly number[], next: () => number) => Uint8Array;

const PATTERNS: Readonly<Record<string, Pattern>> = {
  normal: (spec, shape, next) => madeUp(spec, shape, { bound: 2, next }).bytes,
  ids: (spec, shape, next) => madeUp(spec, shape, { bound: ID_BOUND, next }).bytes,
  zeros: (spec, shape) => new Uint8Array(elementCount(shape) * elementBytes(spec.datatype)),
  large: (spec, shape, next) => scaled(spec, madeUp(spec, shape, { bound: 2, next }).bytes, 1e3),
  small: (spec, shape, next) => scaled(spec, madeUp(spec, shape, { bound: 2, next }).bytes, 1e-6),
};

/** Made-up inputs of many sizes and kinds, the same for the same seed. Throws ServeError when the model takes texts, which nobody can make up. */
export function verifyTrials({ inputs }: Pick<Signature, "inputs">, seed: number): VerifyTrial[] {
  const next = randomNumbers(seed);
  const trials = new Map<string, VerifyTrial>();
  const add = (sizes: readonly [number, number], pattern: string): void => {
    const tensors = inputs.map((spec): NamedTensor => {
      const shape = spec.dims.map((dim, axis) => (typeof dim === "number" ? dim : sizes[axis === 0 ? 0 : 1]));
      const bytes = PATTERNS[pattern]!(spec, shape, next);
      return { name: spec.name, datatype: spec.datatype, shape, bytes };
    });
    const shapes = tensors.map(({ shape }) => `[${shape.join(", ")}]`).join(" ");
    const label = `${shapes} ${pattern}`;
    if (!trials.has(label)) trials.set(label, { label, inputs: tensors });
  };
  for (const sizes of SIZES) {
    add(sizes, "normal");
    add(sizes, "ids");
  }
  for (const pattern of Object.keys(PATTERNS)) add([3, 7], pattern);
  return [...trials.values()];
}

function scaled({ datatype }: TensorSpec, bytes: Uint8Array, factor: number): Uint8Array {
  if (datatype === "FP32") {
    const values = new Float32Array(bytes.buffer);
    for (let i = 0; i < values.length; i++) values[i]! *= factor;
  }
  return bytes;
}
