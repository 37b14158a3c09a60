import type { DType } from "../../dtype.ts";
import { invariant } from "../../errors.ts";
import { computeType, inputType, type KernelTypes } from "../../onnx/kernel-types.ts";
import type { Val } from "./tensor.ts";
import { unsupported } from "./unsupported.ts";

/** The dtypes that an op is calculated in, which may be wider than those of its operands. */
export interface ChosenTypes {
  /** Per type variable: the dtype the operands have and the one the kernel gets. */
  readonly variables: ReadonlyMap<string, { readonly wanted: DType; readonly computed: DType }>;
  readonly inputs: readonly (DType | undefined)[];
}

/** What a kernel is given for these operands. Throws Unsupported where ONNX Runtime has no kernel for them in any width. */
export function chooseTypes(
  op: string,
  kernel: KernelTypes,
  inputs: readonly (Val | undefined)[],
): ChosenTypes {
  const variables = new Map<string, { wanted: DType; computed: DType }>();
  const types = inputs.map((input, i) => {
    const variable = inputType(kernel, i);
    invariant(variable !== undefined, `${op} takes no operand ${i}`);
    if (input === undefined) return undefined;
    const supported = kernel.types[variable];
    if (supported === undefined) {
      invariant(input.dtype === variable, `${op} takes ${variable} as operand ${i}, not ${input.dtype}`);
      return input.dtype;
    }
    const known = variables.get(variable);
    invariant(
      known === undefined || known.wanted === input.dtype,
      `${op} mixes ${known?.wanted} and ${input.dtype}`,
    );
    const computed = known?.computed ?? computeType(input.dtype, supported);
    if (computed === undefined) return unsupported(`ONNX Runtime cannot calculate ${op} in ${input.dtype}`);
    variables.set(variable, { wanted: input.dtype, computed });
    return computed;
  });
  return { variables, inputs: types };
}

/** The dtype of one result: as the program wants it and as the kernel gives it; undefined where the kernel does not say. */
export function outputType(
  kernel: KernelTypes | undefined,
  { index, chosen }: { index: number; chosen: ChosenTypes | undefined },
): { wanted: DType; computed: DType } | undefined {
  const variable = kernel?.outputs[index];
  if (kernel === undefined || variable === undefined) return undefined;
  const bound = chosen?.variables.get(variable);
  if (bound !== undefined) return bound;
  const types = kernel.types[variable] ?? [variable];
  const only = types.length === 1 ? (types[0] as DType) : undefined;
  return only === undefined ? undefined : { wanted: only, computed: only };
}
