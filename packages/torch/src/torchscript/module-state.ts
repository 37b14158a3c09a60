import type { TensorType } from "../graph/ir.ts";
import type { GraphRecorder } from "./graph-recorder.ts";
import type { ObjectGraph } from "./object-graph.ts";
import type { InputTypes } from "./script-inputs.ts";
import { isNumber, type NumberValue, type ObjectValue, type Value } from "./value.ts";

/** Numbers that attributes hold after a call, by dotted name. */
export type StateNumbers = ReadonlyMap<string, NumberValue>;

/**
 * What a program keeps in its attributes from call to call. Tensors whose types the user states become inputs and outputs. Numbers are
 * those that every call but the first finds: what a call leaves is what the next one begins with.
 */
export class ModuleState {
  readonly #objects: ObjectGraph;
  readonly #tensors = new Map<string, Holder>();
  readonly #numbers = new Map<string, Holder & { readonly before: NumberValue }>();
  readonly #left = new Map<string, NumberValue>();

  constructor(objects: ObjectGraph) {
    this.#objects = objects;
  }

  /** Whether the module has an attribute of this dotted name that holds something. */
  has(root: ObjectValue, name: string): boolean {
    const holder = this.#holder(root, name);
    return holder !== undefined && this.#objects.attribute(holder.object, holder.attribute) !== undefined;
  }

  /** Makes inputs of the attributes that have these types. */
  begin(
    root: ObjectValue,
    { tensors, numbers }: { readonly tensors: InputTypes; readonly numbers: StateNumbers },
    recorder: GraphRecorder,
  ): { readonly name: string; readonly value: string }[] {
    for (const [name, before] of numbers) {
      const holder = this.#holder(root, name);
      if (holder === undefined) continue;
      holder.object.attributes.set(holder.attribute, before);
      this.#numbers.set(name, { ...holder, before });
    }
    return [...tensors].flatMap(([name, type]) => {
      const holder = this.#holder(root, name);
      if (holder === undefined || type === undefined) return [];
      const input = recorder.input(name, type);
      holder.object.attributes.set(holder.attribute, input);
      this.#tensors.set(name, holder);
      return [{ name, value: input.name! }];
    });
  }

  /** Notes that a call leaves a number where the next one reads another; false when it is not a known number. */
  leave(object: ObjectValue, attribute: string, value: Value): boolean {
    if (!isNumber(value)) return false;
    this.#left.set(object.name === "" ? attribute : `${object.name}.${attribute}`, value);
    return true;
  }

  /** Numbers that were read before a call changed them. */
  get left(): StateNumbers {
    return this.#left;
  }

  /** The names of numbers that a call does not leave as it found them: each call has others. */
  unsteady(): string[] {
    return [...this.#numbers].flatMap(([name, { object, attribute, before }]) => {
      const after = object.attributes.get(attribute);
      const isSame =
        after !== undefined &&
        isNumber(after) &&
        JSON.stringify([after.kind, after.value]) === JSON.stringify([before.kind, before.value]);
      return isSame ? [] : [name];
    });
  }

  /** What the state is after the call, by name. */
  end(): Map<string, Value> {
    return new Map(
      [...this.#tensors].map(([name, { object, attribute }]) => [name, object.attributes.get(attribute)!]),
    );
  }

  #holder(root: ObjectValue, name: string): Holder | undefined {
    const path = name.split(".");
    let object = root;
    for (const part of path.slice(0, -1)) {
      const next = this.#objects.attribute(object, part);
      if (next?.kind !== "object") return undefined;
      object = next;
    }
    return { object, attribute: path.at(-1)! };
  }
}

interface Holder {
  readonly object: ObjectValue;
  readonly attribute: string;
}

/** Why a state of another type than it began with cannot be passed on; undefined when it can. */
export function stateProblem(name: string, before: TensorType, after: Value): string | undefined {
  const type = after.kind === "tensor" ? after.type : undefined;
  if (type !== undefined && typeText(type) === typeText(before)) return undefined;
  const found = type === undefined ? "no tensor" : typeText(type);
  return `'${name}' begins as ${typeText(before)} and is ${found} after the call: state that type`;
}

/** A type as model.yaml says it. */
export function typeText({ dtype, dims }: TensorType): string {
  return `${dtype}[${dims.map((dim) => (typeof dim === "number" ? dim : dim.key)).join(", ")}]`;
}
