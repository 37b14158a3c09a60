import { schemaOf } from "../aten/schemas.ts";
import { turnsInPlace } from "../graph/functional-variant.ts";
import type { Arg, TensorType } from "../graph/ir.ts";
import { type Dim, sameDims, sym, symbolsOf } from "../graph/sym.ts";
import { Branches } from "./branches.ts";
import { COMPOSITES, type CompositeCalls } from "./composites.ts";
import { dataNumber } from "./data-number.ts";
import type { GraphRecorder } from "./graph-recorder.ts";
import { keepApart } from "./grown-list.ts";
import { ImageBlocks } from "./image-blocks.ts";
import { Loops } from "./loops.ts";
import { calculate, isTensorOfNumber, scalarTensor } from "./number-calls.ts";
import { calculateFloat } from "./number-tensors.ts";
import { type BoundCall, resolveCall, schemasOf, type WrittenCall } from "./overloads.ts";
import { PackedBatches } from "./packed-batches.ts";
import { resultTypes } from "./result-types.ts";
import { requireSame } from "./shapes/dims.ts";
import { ShapeArgs } from "./shapes/shape-args.ts";
import { shapeOf } from "./shapes/table.ts";
import { dimsOf, type SizeNeed } from "./size-need.ts";
import { numberTensor } from "./stand-in.ts";
import { tensorOfList } from "./tensor-of-list.ts";
import { unknownOp, unsupportedOp } from "./unsupported-op.ts";
import { isGrown, type NumberValue, type TensorValue, UNKNOWN, type Value } from "./value.ts";

/** Ops that do nothing at inference: they answer their input. */
const IDENTITIES = new Set([
  "aten.feature_dropout.default",
  "aten.alpha_dropout.default",
  "aten.lift_fresh.default",
]);
/** Ops whose result is always a tensor of its own; only these are known to differ from other tensors. */
const NEW_TENSORS = new Set([
  "aten.add.Tensor",
  "aten.add.Scalar",
  "aten.sub.Tensor",
  "aten.mul.Tensor",
  "aten.mul.Scalar",
  "aten.div.Tensor",
  "aten.div.Scalar",
  "aten.linear.default",
  "aten.layer_norm.default",
  "aten.embedding.default",
  "aten.cat.default",
  "aten.relu.default",
  "aten.gelu.default",
  "aten.permute.default",
  "aten.transpose.int",
]);
/** Ops that only the interpreter has, under the name of what they do. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ["aten._convolution.default", "aten.convolution.default"],
  ["aten._convolution.deprecated", "aten.convolution.default"],
  // Their pieces lie in the same memory as those of the safe ones.
  ["aten.unsafe_chunk.default", "aten.chunk.default"],
  ["aten.unsafe_split.Tensor", "aten.split.Tensor"],
  ["aten.unsafe_split_with_sizes.default", "aten.split_with_sizes.default"],
  ["aten.to.prim_dtype", "aten.to.dtype"],
  ["aten.to.prim_Device", "aten.to.dtype"],
  ["aten.cpu.default", "aten.to.dtype"],
]);

/** Calls of ATen ops: finds the overload, the type of the result, and records a node. */
export class OpCaller {
  readonly #recorder: GraphRecorder;
  /** The archive's operator version: older files mean other things by a few ops. */
  readonly #version: number;
  readonly #blocks = new ImageBlocks();
  readonly #packed = new PackedBatches();

  constructor(recorder: GraphRecorder, version: number) {
    this.#recorder = recorder;
    this.#version = version;
  }

  /** The result of a call. Throws UnsupportedOp for ops whose result has no known type, UnprovenSize. */
  call(written: WrittenCall): Value {
    const call = this.#current(written);
    const number = calculateFloat(call) ?? calculate(call);
    if (number !== undefined) return number;
    if (isTensorOfNumber(call)) return this.call(scalarTensor(call));
    const made = tensorOfList(call, (name, args) =>
      this.call({ op: `aten.${name}`, args, kwargs: new Map() }),
    );
    if (made !== undefined) return made;
    const filled = this.#intoOut(call);
    if (filled !== undefined) return filled;
    if ([...call.args, ...call.kwargs.values()].some(isUnknown)) {
      if (!schemasOf(call.op).some(({ target }) => hasShape(target)))
        unsupportedOp(unknownOp(call.op, "the type of its result is not known"));
      return UNKNOWN;
    }
    const bound =
      resolveCall(call) ?? resolveCall(this.#withNumbers(call, 1)) ?? resolveCall(this.#withNumbers(call, 0));
    if (bound === undefined) return unsupportedOp(unknownOp(call.op, "no overload takes such arguments"));
    refuseOld(bound, this.#version);
    const { target } = bound.schema;
    const composite = Object.hasOwn(COMPOSITES, target) ? COMPOSITES[target] : undefined;
    return (
      composite?.(bound.args, this.#calls) ??
      this.#packed.selected(target, bound.args) ??
      this.#inPlace(bound) ??
      this.#emit(bound)
    );
  }

  /** What composites call. */
  readonly #calls: CompositeCalls = {
    call: (op, args, kwargs = new Map()) => this.call({ op, args, kwargs }),
    numberOf: (tensor) => this.numberOf(tensor),
  };

  /** The number that a tensor of one element holds. Throws UnsupportedOp where it may have several. */
  numberOf(tensor: TensorValue): NumberValue {
    return dataNumber(this.#recorder, this.current(tensor) as TensorValue);
  }

  /** What a value is by now, after ops in place. */
  current(value: Value): Value {
    return this.#recorder.current(value);
  }

  #current(call: WrittenCall): WrittenCall {
    const now = (value: Value): Value =>
      value.kind === "list" && !isGrown(value) && value.items.some((item) => this.current(item) !== item)
        ? { ...value, items: value.items.map(now) }
        : this.current(value);
    const kwargs = new Map([...call.kwargs].map(([name, value]) => [name, now(value)] as const));
    return { op: call.op, args: call.args.map(now), kwargs };
  }

  /** The call with numbers for all tensors without dimensions from an argument on: PyTorch reads them where it wants numbers. */
  #withNumbers(call: WrittenCall, from: number): WrittenCall {
    const read = (value: Value, at: number): Value =>
      at >= from && value.kind === "tensor" && value.type.dims.length === 0 ? this.numberOf(value) : value;
    const kwargs = new Map([...call.kwargs].map(([name, value]) => [name, read(value, 1)] as const));
    return { op: call.op, args: call.args.map(read), kwargs };
  }

  /** Ops in place on the tensor of a known number, and those that turn a tensor: all later uses see the result instead. */
  #inPlace({ schema, args }: BoundCall): Value | undefined {
    const [first] = schema.params;
    const self = first?.isMutated === true ? args.get(first.name) : undefined;
    if (self?.kind !== "tensor") return undefined;
    const isNumber = self.number !== undefined && self.name === undefined;
    if (!isNumber && !turnsInPlace(schema.target)) return undefined;
    if (isNumber && this.#recorder.isMaterialized(self)) return undefined;
    if (this.#recorder.weights.has(self.name ?? ""))
      return unsupportedOp("it changes the shape of a weight in place, which would outlive the call");
    const op = schema.target.split(".").slice(0, 2).join(".").replace(/_$/, "");
    const result = this.call({ op, args: [...args.values()].filter(isGiven), kwargs: new Map() });
    if (result.kind !== "tensor") return undefined;
    if (result.type.dtype !== self.type.dtype) return unsupportedOp("it changes the dtype of a number");
    this.#recorder.replace(self, result);
    return result;
  }

  /** `torch.add(x, y, out=z)`: what the call without `out` gives, written into `z`, or in its place where it has nothing. */
  #intoOut({ op, args, kwargs }: WrittenCall): Value | undefined {
    const out = kwargs.get("out");
    if (out?.kind !== "tensor") return undefined;
    const rest = new Map([...kwargs].filter(([name]) => name !== "out"));
    const result = this.call({ op, args, kwargs: rest });
    if (result.kind !== "tensor") return undefined;
    const [from, to] = [result.type.dims, out.type.dims];
    if (to.includes(0) && !sameDims(from, to)) {
      if (result.type.dtype !== out.type.dtype) return unsupportedOp("its out= is of another dtype");
      this.#recorder.replace(out, result);
      return result;
    }
    if (from.length !== to.length) return unsupportedOp("its out= is of another shape");
    for (const [i, dim] of from.entries()) requireSame(dim, to[i]!);
    return this.call({ op: "aten.copy_", args: [out, result], kwargs: new Map() });
  }

  /**
   * Whether two tensors are one object in Python's sense: undefined when an op that may answer its own input made one of them, as ops in
   * place and conversions do.
   */
  isSameTensor(a: TensorValue, b: TensorValue): boolean | undefined {
    if (a.name === undefined || b.name === undefined) return undefined;
    if (a.name === b.name) return true;
    const mayAnswerInput = [a, b].some(({ name }) => {
      const target = this.#recorder.nodes.find(({ outputs }) => outputs.includes(name!))?.target;
      return target !== undefined && !NEW_TENSORS.has(target);
    });
    return mayAnswerInput ? undefined : false;
  }

  /** Both ways of a condition that only the data knows. */
  branches(condition: NumberValue): Branches {
    return new Branches(this.#recorder, condition);
  }

  /** A loop that goes on as long as the data say. */
  loops(): Loops {
    return new Loops(this.#recorder);
  }

  /** Remembers that a list holds a copy of a tensor. */
  keepApart(item: Value): void {
    keepApart(this.#recorder, item);
  }

  /** Records a check that a count which only the run knows is not 0. */
  requireSome(count: Dim, said: string): void {
    if (typeof count === "number" && count > 0) return;
    const isThere = numberTensor({ kind: "bool", value: sym("ge", count, 1) });
    const args = new Map([
      ["self", this.#recorder.arg(isThere, "Tensor")],
      ["assert_msg", { kind: "string", value: said } as const],
    ]);
    this.#recorder.emit("aten._assert_async.msg", args, []);
  }

  /** Whether a need is about sizes that only the data knows. */
  isOfData(need: SizeNeed): boolean {
    const names = dimsOf(need).flatMap((dim) => [...symbolsOf(dim)]);
    return names.length > 0 && names.every((name) => this.#recorder.dataSizes.has(name));
  }

  #emit({ schema, args }: BoundCall): Value {
    const given = new ShapeArgs(schema.target, args, () => this.#recorder.dataSize());
    if (IDENTITIES.has(schema.target) && !(given.has("train") && given.bool("train"))) {
      return args.get(schema.params[0]!.name)!;
    }
    const types = resultTypes({ schema, args }, given);
    this.#blocks.meet(schema.target, [...args.values()]);
    const target = rename(schema.target, types);
    const params = schemaOf(target)?.params ?? schema.params;
    if (target === "aten.to.dtype" && !given.has("dtype")) return args.get("self")!;
    const nodeArgs = new Map<string, Arg>();
    for (const param of params) {
      const value = args.get(param.name);
      if (value !== undefined) nodeArgs.set(param.name, this.#recorder.arg(value, param.type));
      else if (param.default !== undefined) nodeArgs.set(param.name, param.default);
    }
    const written = schema.params[0]?.isMutated === true ? args.get(schema.params[0].name) : undefined;
    if (
      written?.kind === "tensor" &&
      written.name !== undefined &&
      this.#recorder.sharing.isKept(written.name)
    )
      return unsupportedOp(
        "it writes into a tensor that a list holds whose length only the run knows; append a clone",
      );
    const results = this.#recorder.emit(target, nodeArgs, types);
    // Within a branch or loop it has to be seen that a variable still holds the same tensor.
    if (written?.kind === "tensor" && this.#recorder.isCapturing && isSameType(written.type, types[0]))
      return written;
    this.#blocks.note(target, [...args.values()], results);
    this.#packed.note(target, args, results);
    const [first] = schema.returns;
    if (schema.returns.length > 1) return { kind: "tuple", items: results };
    return first?.type === "Tensor[]" ? { kind: "list", items: results } : results[0]!;
  }
}

/** Throws UnsupportedOp where the op meant something else in the PyTorch that wrote the file. */
function refuseOld({ schema: { target }, args }: BoundCall, version: number): void {
  const isOldDivision = version < 4 && target.startsWith("aten.div.");
  const isOldFull = version < 5 && target === "aten.full.default" && args.get("dtype")?.kind === "none";
  if (isOldDivision || isOldFull)
    unsupportedOp("the file is older than PyTorch 1.6, where this op meant something else; save it again");
}

function isGiven(value: Value): boolean {
  return value.kind !== "none";
}

function isSameType(a: TensorType, b: TensorType | undefined): boolean {
  return b !== undefined && a.dtype === b.dtype && sameDims(a.dims, b.dims);
}

/** `_convolution_mode` is `convNd` with its padding as text: N comes from the result. */
function rename(target: string, [result]: readonly TensorType[]): string {
  if (target === "aten._convolution_mode.default")
    return `aten.conv${(result?.dims.length ?? 0) - 2}d.padding`;
  return RENAMED.get(target) ?? target;
}

function hasShape(target: string): boolean {
  return shapeOf(target) !== undefined || target.includes("_.");
}

/** Whether a value is, or holds, the result of a refused op. */
export function isUnknown(value: Value): boolean {
  if (isGrown(value)) return false;
  if (value.kind === "list" || value.kind === "tuple") return value.items.some(isUnknown);
  if (value.kind === "dict") return [...value.entries.values()].some(isUnknown);
  return value.kind === "unknown";
}
