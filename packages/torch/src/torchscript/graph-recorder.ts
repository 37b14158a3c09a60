import { denseBytes, type StoredTensor } from "../archive/stored-tensor.ts";
import type { PickleCall } from "../checkpoint/pickle-value.ts";
import type { CodePlace } from "../code-place.ts";
import type { DType } from "../dtype.ts";
import { ModelFileError } from "../errors.ts";
import {
  type Arg,
  NONE,
  type Node,
  type ScalarValueType,
  type TensorType,
  type ValueType,
  type Weight,
} from "../graph/ir.ts";
import { type SymSymbol, symbol } from "../graph/sym.ts";
import { fromBfloatBits, fromHalfBits } from "../half-floats.ts";
import { MemorySharing } from "./memory-sharing.ts";
import { dtypeOfCode, tensorType } from "./shapes/shape-args.ts";
import { DATA_SIZE } from "./size-need.ts";
import { unsupportedOp } from "./unsupported-op.ts";
import { isNumber, type NumberValue, type TensorValue, type Value } from "./value.ts";

const MAX_NODES = 100_000;

/** Collects the nodes, values and weights of a program while it is read. */
export class GraphRecorder {
  #nodes: Node[] = [];
  readonly values: Map<string, ValueType> = new Map();
  readonly weights: Map<string, Weight> = new Map();
  /** The names of sizes that only the data knows. */
  readonly dataSizes: Set<string> = new Set();
  readonly #tensors = new Map<PickleCall, TensorValue>();
  readonly #names = new Set<string>();
  readonly #replaced = new Map<TensorValue, TensorValue>();
  readonly #materialized = new Set<TensorValue>();
  /** Says where the code stands that is being read; undefined: nodes do not keep that. */
  placeNow: (() => CodePlace | undefined) | undefined;

  readonly sharing: MemorySharing = new MemorySharing((name) => this.values.get(name));
  #depth = 0;

  /** Whether nodes become a part of a graph within the program's. */
  get isCapturing(): boolean {
    return this.#depth > 0;
  }

  get nodes(): Node[] {
    return this.#nodes;
  }

  /** The nodes that are recorded meanwhile, which are a part of no graph yet. Throws UnsupportedOp where a tensor is replaced for good. */
  capture(run: () => void): Node[] {
    const [around, replaced] = [this.#nodes, this.#replaced.size];
    this.#nodes = [];
    this.#depth += 1;
    try {
      run();
      if (this.#replaced.size > replaced)
        unsupportedOp("a branch that only the run decides changes the type of a tensor in place");
      return this.#nodes;
    } finally {
      this.#nodes = around;
      this.#depth -= 1;
    }
  }

  /** A name that no value has yet. */
  fresh(hint: string): string {
    const base = hint.replace(/[^A-Za-z0-9_]/g, "_");
    let name = base;
    for (let n = 1; this.#names.has(name); n += 1) name = `${base}_${n}`;
    this.#names.add(name);
    return name;
  }

  /** A number that only the data knows; of an integer, with its range. */
  dataSymbol(range: SymSymbol["range"]): SymSymbol {
    const name = this.fresh(DATA_SIZE);
    this.dataSizes.add(name);
    return symbol(name, range);
  }

  /** A size that only the data knows. */
  dataSize(): SymSymbol {
    return this.dataSymbol({ min: 0, max: Number.POSITIVE_INFINITY });
  }

  /** Adds a node that reads a number from a tensor. */
  emitNumber(target: string, tensor: TensorValue, type: ScalarValueType): void {
    const name = this.fresh("number");
    this.values.set(name, type);
    this.nodes.push({
      target,
      args: new Map([["self", this.#tensorArg(tensor, "Tensor")]]),
      outputs: [name],
      ...this.#placed,
    });
  }

  /** Makes every later use of a value one of another: an op in place has given the same tensor another type, or another number. */
  replace(value: TensorValue, by: TensorValue): void {
    this.#replaced.set(value, by);
  }

  /** What a value is by now. */
  current(value: Value): Value {
    if (value.kind !== "tensor") return value;
    const by = this.#replaced.get(value);
    return by === undefined ? value : this.current(by);
  }

  /** Whether a number's tensor has been used as one: what was made of it would not see a write. */
  isMaterialized(value: TensorValue): boolean {
    return this.#materialized.has(value);
  }

  input(name: string, type: TensorType): TensorValue {
    const value = this.fresh(name);
    this.values.set(value, type);
    return { kind: "tensor", name: value, type };
  }

  /** A stored tensor: the same one is one weight, wherever it hangs. */
  weight(name: string, pickled: PickleCall, stored: StoredTensor): TensorValue {
    const known = this.#tensors.get(pickled);
    if (known !== undefined) return known;
    const value = this.fresh(`w_${name}`);
    const type = tensorType(stored.dtype, stored.shape);
    this.values.set(value, type);
    this.weights.set(value, { name, tensor: stored });
    const tensor: TensorValue = { kind: "tensor", name: value, type };
    this.#tensors.set(pickled, tensor);
    return tensor;
  }

  /** Adds a node; answers its results. */
  emit(target: string, args: ReadonlyMap<string, Arg>, types: readonly TensorType[]): TensorValue[] {
    const hint = target.split(".")[1] ?? "value";
    if (this.nodes.length >= MAX_NODES) {
      throw new ModelFileError("limit", `the program has more than ${MAX_NODES} operations, loops unrolled`);
    }
    const results = types.map((type) => this.input(hint, type));
    const node = { target, args, outputs: results.map((result) => result.name), ...this.#placed };
    this.nodes.push(node);
    this.sharing.note(node);
    return results;
  }

  get #placed(): Pick<Node, "place"> | undefined {
    const place = this.placeNow?.();
    return place && { place };
  }

  /** A value as a node's argument; `type` is the parameter's, which says what an integer means. */
  arg(value: Value, type: string): Arg {
    if (value.kind === "none") return NONE;
    const inner = type.replace(/\?$/, "");
    if (inner.startsWith("ScalarType") && value.kind === "int" && typeof value.value === "number") {
      return { kind: "dtype", value: dtypeOfCode(value.value) };
    }
    if (inner === "Layout" || inner === "MemoryFormat" || value.kind === "device") {
      return { kind: "hint", value: inner.toLowerCase() };
    }
    if (value.kind === "string") return { kind: "string", value: value.value };
    if (value.kind === "tensor") return this.#tensorArg(value, inner);
    if (isNumber(value)) return this.#numberArg(value);
    if (value.kind === "list" || value.kind === "tuple") {
      const item = inner.replace(/\[\]$/, "");
      return { kind: "list", items: value.items.map((entry) => this.arg(entry, item)) };
    }
    return unsupportedOp(`an argument is a ${value.kind}`);
  }

  #tensorArg(value: TensorValue, type: string): Arg {
    if (!type.startsWith("Tensor") && value.number !== undefined) return this.#numberArg(value.number);
    return { kind: "value", name: value.name ?? this.#materialize(value) };
  }

  /** The 0-d tensor of a number, as a tensor. */
  #materialize(tensor: TensorValue): string {
    const { type, number } = tensor;
    this.#materialized.add(tensor);
    if (number === undefined) return unsupportedOp("a tensor has no value");
    const args = new Map<string, Arg>([
      ["s", this.#numberArg(number)],
      ["dtype", { kind: "dtype", value: type.dtype }],
      ["layout", NONE],
      ["device", NONE],
      ["pin_memory", NONE],
    ]);
    return this.emit("aten.scalar_tensor.default", args, [type])[0]!.name!;
  }

  #numberArg({ kind, value, exact }: NumberValue): Arg {
    if (typeof value !== "number") {
      const name = this.fresh("size");
      this.values.set(name, { kind, expr: value });
      return { kind: "value", name };
    }
    if (kind === "bool") return { kind, value: value !== 0 };
    return kind === "float" ? { kind, value } : { kind, value: exact ?? value };
  }
}

/** The number that a stored 0-d tensor holds; undefined for other tensors. */
export function storedNumber(tensor: StoredTensor): NumberValue | undefined {
  const read = READERS[tensor.dtype];
  if (tensor.shape.length > 0 || read === undefined || tensor.storage.byteLength === 0) return undefined;
  const bytes = denseBytes("constant", tensor);
  return read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

const READERS: Partial<Record<DType, (view: DataView) => NumberValue>> = {
  bool: (view) => ({ kind: "bool", value: view.getUint8(0) }),
  uint8: (view) => ({ kind: "int", value: view.getUint8(0) }),
  int8: (view) => ({ kind: "int", value: view.getInt8(0) }),
  int16: (view) => ({ kind: "int", value: view.getInt16(0, true) }),
  int32: (view) => ({ kind: "int", value: view.getInt32(0, true) }),
  int64: (view) => {
    const exact = view.getBigInt64(0, true);
    const value = Number(exact);
    return Number.isSafeInteger(value) ? { kind: "int", value } : { kind: "int", value, exact };
  },
  float16: (view) => ({ kind: "float", value: fromHalfBits(view.getUint16(0, true)) }),
  bfloat16: (view) => ({ kind: "float", value: fromBfloatBits(view.getUint16(0, true)) }),
  float32: (view) => ({ kind: "float", value: view.getFloat32(0, true) }),
  float64: (view) => ({ kind: "float", value: view.getFloat64(0, true) }),
};
