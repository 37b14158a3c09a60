import type { StoredTensor } from "../archive/stored-tensor.ts";
import type { PickleArchive } from "../checkpoint/pickle-archive.ts";
import {
  asNode,
  calleeOf,
  entriesOf,
  entryOf,
  type PickleCall,
  type PickleValue,
} from "../checkpoint/pickle-value.ts";
import { isTensorCall } from "../checkpoint/rebuild-tensor.ts";
import { type GraphRecorder, storedNumber } from "./graph-recorder.ts";
import { unsupportedOp } from "./unsupported-op.ts";
import { NONE_VALUE, type ObjectValue, type TensorValue, type Value } from "./value.ts";

/** Wrappers that TorchScript's pickler puts around lists and dicts to keep their type. */
const TYPE_TAG = "torch.jit._pickle.restore_type_tag";
const TYPED_LISTS = /^torch\.jit\._pickle\.build_(int|tensor|double|bool)list$/;
const MAX_DEPTH = 64;

/** The value behind a type tag. */
export function untagged(value: PickleValue): PickleValue {
  const path = calleeOf(value);
  const isTagged = path !== undefined && (path === TYPE_TAG || TYPED_LISTS.test(path));
  return isTagged ? (asNode(value, "call")?.args[0] ?? null) : value;
}

/** Turns what a pickle of the archive holds into values; tensors become weights when they are first met. */
export class ObjectGraph {
  readonly #archive: PickleArchive;
  readonly #recorder: GraphRecorder;
  readonly #objects = new Map<PickleCall, ObjectValue>();

  constructor(archive: PickleArchive, recorder: GraphRecorder) {
    this.#archive = archive;
    this.#recorder = recorder;
  }

  /** The object at the pickle's root: the module. */
  root(): ObjectValue | undefined {
    const pickled = asNode(this.#archive.root, "call");
    const path = calleeOf(pickled);
    if (pickled === undefined || !path?.startsWith("__torch__.")) return undefined;
    return this.#made(pickled, path, "");
  }

  /** An attribute of an object; undefined when it has none of that name. */
  attribute(object: ObjectValue, name: string): Value | undefined {
    const set = object.attributes.get(name);
    if (set !== undefined || object.pickled === undefined) return set;
    const pickled = entryOf(object.pickled.state, name);
    return pickled === undefined
      ? undefined
      : this.value(pickled, object.name === "" ? name : `${object.name}.${name}`);
  }

  value(pickled: PickleValue, name: string, depth = 0): Value {
    if (depth > MAX_DEPTH) return unsupportedOp("a constant nests too deep");
    if (pickled === null) return NONE_VALUE;
    if (typeof pickled === "boolean") return { kind: "bool", value: Number(pickled) };
    if (typeof pickled === "number")
      return { kind: Number.isInteger(pickled) ? "int" : "float", value: pickled };
    if (typeof pickled === "bigint") return { kind: "int", value: Number(pickled), exact: pickled };
    if (typeof pickled === "string") return { kind: "string", value: pickled };
    if (pickled instanceof Uint8Array) return unsupportedOp("an attribute holds raw bytes");
    const node = untagged(pickled);
    if (isTensorCall(node)) return this.#tensor(node, name);
    const list = asNode(node, "list", "tuple");
    if (list !== undefined) {
      return {
        kind: list.kind,
        isStored: true,
        items: list.items.map((item, at) => this.value(item, `${name}.${at}`, depth + 1)),
      };
    }
    const entries = entriesOf(node);
    if (entries !== undefined) return this.#dict(entries, name, depth);
    return this.#object(node, name);
  }

  /** A constant of the program's own: as a weight, with its number when it is 0-d. */
  constant(pickled: PickleValue, name: string): Value {
    const value = this.value(pickled, name);
    if (value.kind !== "tensor" || !isTensorCall(pickled)) return value;
    const number = storedNumber(this.#stored(pickled));
    if (number === undefined) return value;
    return { ...value, number, isWrapped: true };
  }

  #tensor(pickled: PickleCall, name: string): TensorValue {
    return this.#recorder.weight(name, pickled, this.#stored(pickled));
  }

  #stored(pickled: PickleCall): StoredTensor {
    return this.#archive.tensor(pickled) ?? unsupportedOp("a tensor of the archive cannot be read");
  }

  #dict(entries: readonly [PickleValue, PickleValue][], name: string, depth: number): Value {
    const values = new Map<string | number, Value>();
    for (const [key, value] of entries) {
      if (typeof key !== "string" && typeof key !== "number")
        return unsupportedOp("a dict has keys that are not text");
      values.set(key, this.value(value, `${name}.${key}`, depth + 1));
    }
    return { kind: "dict", entries: values, isStored: true };
  }

  #object(node: PickleValue, name: string): Value {
    const path = calleeOf(node);
    const pickled = asNode(node, "call");
    if (path === undefined || pickled === undefined || !path.startsWith("__torch__.")) {
      return unsupportedOp("an attribute is an object that only PyTorch can make (quantized weights?)");
    }
    return this.#made(pickled, path, name);
  }

  /** The object of a pickled one: the same, wherever it hangs, so that what is written through one name is read through another. */
  #made(pickled: PickleCall, path: string, name: string): ObjectValue {
    const known = this.#objects.get(pickled);
    if (known !== undefined) return known;
    const object: ObjectValue = {
      kind: "object",
      path,
      name,
      pickled,
      attributes: new Map(),
      read: new Set(),
    };
    this.#objects.set(pickled, object);
    return object;
  }
}
