import { componentDtype } from "../../dtype.ts";
import { type Arg, NONE, type Node, type TensorType, type ValueType } from "../../graph/ir.ts";
import type { Emitter } from "./emitter.ts";
import { carrier, type Tensor } from "./tensor.ts";
import type { ValueLookup } from "./value-lookup.ts";

export type Component = "re" | "im";

/** Which part stands for an argument, by schema name, or that it is left out; a list has one for each of its items. */
export type Choices = Readonly<Record<string, Component | "none" | readonly Component[]>>;

interface Whole {
  readonly node: Node;
  readonly values: ValueLookup;
  readonly g: Emitter;
}

/**
 * A node on complex values as one on real ones. An argument that `choices` does not name stays as it is: a condition, an index. The
 * lookup knows complex values only by the parts that were chosen, so that a lowering cannot take one for another.
 */
export function componentOf(whole: Whole, choices: Choices): { node: Node; values: ValueLookup } {
  const { values } = whole;
  const chosen = new Map<string, { readonly type: TensorType; readonly tensor: () => Tensor }>();
  const args = new Map(whole.node.args);
  for (const [name, choice] of Object.entries(choices)) {
    const arg = args.get(name);
    if (arg !== undefined) args.set(name, choice === "none" ? NONE : chooseArg(arg, choice));
  }
  return {
    node: { ...whole.node, args },
    values: {
      typeOf: (name) => chosen.get(name)?.type ?? realType(values.typeOf(name)),
      tensor: (name) => chosen.get(name)?.tensor() ?? values.tensor(name),
      complex: (name) => values.complex(name),
      isUsed: (name) => values.isUsed(name),
      onlyReader: (name) => values.onlyReader(name),
      weight: (name) => (chosen.has(name) ? undefined : values.weight(name)),
    },
  };

  function chooseArg(arg: Arg, choice: Component | readonly Component[]): Arg {
    if (arg.kind === "list") {
      const items = arg.items.map((item, i) =>
        chooseArg(item, typeof choice === "string" ? choice : choice[i]!),
      );
      return { kind: "list", items };
    }
    const part = typeof choice === "string" ? choice : choice[0]!;
    const type = arg.kind === "value" ? values.typeOf(arg.name) : undefined;
    if (arg.kind === "value" && type?.kind === "tensor") {
      const key = `${part} of ${arg.name}`;
      chosen.set(key, { type: realType(type), tensor: () => componentTensor(arg.name, type, part) });
      return { kind: "value", name: key };
    }
    return componentOfNumber(arg, part);
  }

  function componentTensor(name: string, type: TensorType, part: Component): Tensor {
    if (componentDtype(type.dtype) !== undefined) return values.complex(name)[part];
    if (part === "re") return values.tensor(name);
    const zero = whole.g.scalar(carrier(type.dtype), 0);
    return { ...whole.g.expand(zero, type.dims), dims: type.dims, declared: type.dtype };
  }
}

function componentOfNumber(arg: Arg, part: Component): Arg {
  if (arg.kind === "complex") return { kind: "float", value: part === "re" ? arg.real : arg.imaginary };
  return part === "re" || arg.kind === "none" ? arg : { kind: "int", value: 0 };
}

function realType<T extends ValueType | undefined>(type: T): T {
  if (type?.kind !== "tensor") return type;
  return { ...type, dtype: componentDtype(type.dtype) ?? type.dtype };
}
