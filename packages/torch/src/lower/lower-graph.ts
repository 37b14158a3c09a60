import { isComplex } from "../dtype.ts";
import { ModelFileError } from "../errors.ts";
import { isCheck, isDataOp, valuesOf } from "../graph/dead-code.ts";
import type { Arg, Graph, Node, ValueType, Weight } from "../graph/ir.ts";
import { symbolsOf } from "../graph/sym.ts";
import { dataChecks } from "./checks/data-checks.ts";
import { type DataSymbols, dataSymbols } from "./checks/data-symbols.ts";
import { asStated } from "./checks/stated-counts.ts";
import { type ComplexTable, joined, type Result, separated } from "./complex/complex-lowering.ts";
import { HIGHER_ORDER, type Subgraphs } from "./control-flow/higher-order.ts";
import type { Emitter } from "./core/emitter.ts";
import type { LoweringTable } from "./core/lowering.ts";
import { declare, isComplexArg, OpNode } from "./core/op-node.ts";
import { type ComplexTensor, type ComplexVal, carrier, type Tensor, type Val } from "./core/tensor.ts";
import { ownMistake, Unsupported, unsupported } from "./core/unsupported.ts";
import type { ValueLookup } from "./core/value-lookup.ts";
import type { WeightStore } from "./core/weight-store.ts";
import { demanding, demandOfComplex, guarded } from "./size-demands.ts";
import type { UnsupportedOpLog } from "./unsupported-op-log.ts";
import { UNTRANSLATED } from "./untranslated.ts";

/** An op that takes or gives a complex value is looked up in `complex` alone, every other one in `real`. */
export interface LoweringTables {
  readonly real: LoweringTable;
  readonly complex: ComplexTable;
}

/** What one graph's lowering shares with those of its subgraphs. */
export interface LoweringRun {
  readonly tables: LoweringTables;
  readonly weights: WeightStore;
  readonly log: UnsupportedOpLog;
}

/** Lowers the nodes of one graph into an emitter's builder. Every op that cannot be translated is logged, none stops the others. */
export class GraphLowering implements ValueLookup {
  readonly #graph: Graph;
  readonly #g: Emitter;
  readonly #run: LoweringRun;
  readonly #tensors = new Map<string, Tensor>();
  readonly #complex = new Map<string, ComplexTensor>();
  /** Found when the first check asks. */
  #data: DataSymbols | undefined;
  /** By value: the node that takes it; undefined when several do, or the graph returns it. */
  readonly #readers = new Map<string, Node | undefined>();

  constructor(graph: Graph, g: Emitter, run: LoweringRun) {
    this.#graph = graph;
    this.#g = g;
    this.#run = run;
    for (const node of graph.nodes) {
      for (const name of new Set([...node.args.values()].flatMap(valuesOf)))
        this.#readers.set(name, this.#readers.has(name) ? undefined : node);
    }
    for (const name of graph.outputs.flatMap(valuesOf)) this.#readers.set(name, undefined);
  }

  typeOf(name: string): ValueType | undefined {
    return this.#graph.values.get(name);
  }

  isUsed(name: string): boolean {
    return this.#readers.has(name);
  }

  onlyReader(name: string): Node | undefined {
    return this.#readers.get(name);
  }

  weight(name: string): Weight | undefined {
    return this.#run.weights.weight(name);
  }

  tensor(name: string): Tensor {
    const known = this.#tensors.get(name);
    if (known !== undefined) return known;
    if (this.#isComplex(name))
      return unsupported("it takes a complex tensor where only real ones are translated");
    const tensor = this.#weights(name).tensor(name, this.#g);
    this.#tensors.set(name, tensor);
    return tensor;
  }

  complex(name: string): ComplexTensor {
    const known = this.#complex.get(name);
    if (known !== undefined) return known;
    const { dims, ...val } = this.#weights(name).complex(name, this.#g);
    return this.#keepComplex(name, separated(this.#g, val, dims.length));
  }

  #weights(name: string): WeightStore {
    if (this.#run.weights.has(name)) return this.#run.weights;
    throw new ModelFileError("corrupt", `the program uses '${name}' before it is calculated`);
  }

  #isComplex(name: string): boolean {
    return isComplexArg({ kind: "value", name }, this);
  }

  /** Makes a complex value known, with the size and dtype that the program declares. */
  #keepComplex(name: string, { re, im }: ComplexVal): ComplexTensor {
    const type = this.typeOf(name);
    if (type?.kind !== "tensor") throw new ModelFileError("corrupt", `the value '${name}' is not described`);
    const { dims, dtype, declared } = declare(type);
    const [real, imaginary] = [re, im].map((val) => ({ ...this.#g.cast(val, dtype), dims, declared }));
    const tensor = { re: real!, im: imaginary! };
    this.#complex.set(name, tensor);
    this.#g.sizes.bindShape(tensor.re, dims);
    return tensor;
  }

  /** Makes an input of the graph known. `val` has the dtype that ONNX sees at the border. */
  bind(name: string, val: Val): void {
    const type = this.typeOf(name);
    if (type?.kind === "tensor" && isComplex(type.dtype)) {
      this.#keepComplex(name, separated(this.#g, val, type.dims.length));
    } else if (type?.kind === "tensor") {
      const tensor = { ...this.#g.cast(val, carrier(type.dtype)), dims: type.dims, declared: type.dtype };
      this.#tensors.set(name, tensor);
      this.#g.sizes.bindShape(val, type.dims);
    } else if (type !== undefined) this.#g.sizes.bindValue(type.expr, val);
  }

  lowerNodes(): void {
    const { builder } = this.#g;
    if (builder.places === undefined) {
      for (const node of this.#graph.nodes) this.#lowerNode(node);
      return;
    }
    for (const node of this.#graph.nodes) {
      const { place, target, origin = target } = node;
      builder.from(place && { ...place, op: origin }, () => this.#lowerNode(node));
    }
  }

  /** The value of a graph output, a complex one joined; undefined for one that is not a tensor and no number. */
  output(arg: Arg): Val | undefined {
    if (arg.kind === "value") {
      const type = this.typeOf(arg.name);
      if (type?.kind === "tensor" && isComplex(type.dtype))
        return joined(this.#g, this.complex(arg.name), type.dims.length);
      if (type === undefined || type.kind === "tensor") return this.tensor(arg.name);
      return this.#g.number(
        type.expr,
        type.kind === "float" ? "float64" : type.kind === "bool" ? "bool" : "int64",
      );
    }
    if (arg.kind === "int") return this.#g.scalar("int64", arg.value);
    if (arg.kind === "float") return this.#g.scalar("float64", arg.value);
    return arg.kind === "bool" ? this.#g.scalar("bool", Number(arg.value)) : undefined;
  }

  #lowerNode(node: Node): void {
    this.#g.scope = node.outputs.find((name) => name !== undefined) ?? node.target;
    this.#g.target = node.origin ?? node.target;
    const { real } = this.#run.tables;
    if (isCheck(node)) {
      this.#lowerCheck(node);
      return;
    }
    if (!Object.hasOwn(real, node.target) && this.#isSizeMath(node)) return;
    let results: Results | undefined;
    try {
      this.#checkTypes(node);
      results = this.#emptyResults(node) ?? this.#asStated(node, this.#apply(node));
    } catch (error) {
      if (error instanceof ModelFileError) throw error;
      const reason = error instanceof Unsupported ? error.message : ownMistake((error as Error).message);
      this.#run.log.add(node.origin ?? node.target, reason);
    }
    this.#store(node, results);
  }

  #asStated(node: Node, results: Results): Results {
    if (!isDataOp(node)) return results;
    this.#data ??= dataSymbols(this.#graph);
    const { values } = this.#graph;
    const vals = isResult(results) ? [results] : results;
    return asStated({ node, values, symbols: this.#data }, this.#g, vals);
  }

  /** What is calculated of sizes behind a check waits for it, so that no op fails on them first. */
  #lowerCheck(node: Node): void {
    this.#data ??= dataSymbols(this.#graph);
    try {
      for (const { guard, symbols } of dataChecks(new OpNode(node, this), this.#g, this.#data)) {
        this.#g.guards.push(guard);
        for (const name of symbols) if (this.#data.has(name)) this.#g.sizes.hold(name, guard);
        for (const [name, tensor] of this.#tensors) {
          const waits = tensor.dims.some((dim) =>
            [...symbolsOf(dim)].some((s) => symbols.has(s) && this.#data?.has(s)),
          );
          if (waits) this.#tensors.set(name, { ...tensor, ...this.#g.held(tensor, guard) });
        }
      }
    } catch (error) {
      if (!(error instanceof Unsupported)) throw error;
      this.#run.log.add(node.target, error.message);
    }
  }

  #apply(node: Node): Results {
    const { real, complex } = this.#run.tables;
    const asked = new OpNode(node, this);
    if (this.#meetsComplex(node)) {
      const lowering = Object.hasOwn(complex, node.target) ? complex[node.target] : undefined;
      if (lowering !== undefined) {
        demandOfComplex(asked, this.#g);
        return lowering(asked, this.#g);
      }
      throw new Unsupported("there is no translation of this op for complex numbers yet");
    }
    const lowering = Object.hasOwn(real, node.target) ? real[node.target] : undefined;
    if (lowering !== undefined) return demanding(asked, this.#g, lowering(asked, this.#g));
    const higher = Object.hasOwn(HIGHER_ORDER, node.target) ? HIGHER_ORDER[node.target] : undefined;
    if (higher === undefined) throw new Unsupported(whyMissing(node.target));
    return higher(node, this.#g, this.#subgraphs);
  }

  /** How graphs inside this one are lowered: they see its values and sizes. */
  get #subgraphs(): Subgraphs {
    return {
      value: (arg) =>
        this.output(arg) ?? unsupported("it passes something that is neither a tensor nor a number"),
      lower: (graph, g, operands) => {
        const inner = new GraphLowering(graph, g, this.#run);
        for (const [i, name] of graph.inputs.entries()) {
          const operand = operands[i];
          if (operand !== undefined) inner.bind(name, operand);
        }
        inner.lowerNodes();
        return graph.outputs
          .flatMap((output) => (output.kind === "list" ? output.items : [output]))
          .map((output) => {
            const val = inner.output(output);
            if (val === undefined) return unsupported("one of its graphs has a result that is not a tensor");
            return g.builder.isOutermost ? val : guarded(g, val);
          });
      },
    };
  }

  /** Arithmetic on sizes (`sym_size`, `_operator.mul`): the file holds each result as an expression, which is emitted where used. */
  #isSizeMath(node: Node): boolean {
    const types = node.outputs.map((name) => (name === undefined ? undefined : this.typeOf(name)));
    return types.length > 0 && types.every((type) => type !== undefined && type.kind !== "tensor");
  }

  /** Results without elements need no calculation, and several kernels of ONNX Runtime fail on them. */
  #emptyResults(node: Node): Result[] | undefined {
    const types = node.outputs.map((name) => (name === undefined ? undefined : this.typeOf(name)));
    const vals: Result[] = [];
    for (const type of types) {
      if (type?.kind !== "tensor" || !type.dims.includes(0)) return undefined;
      if (type.dims.some((dim) => !this.#g.sizes.isKnown(dim))) return undefined;
      const empty = this.#g.expand(this.#g.scalar(carrier(type.dtype), 0), type.dims);
      vals.push(isComplex(type.dtype) ? { re: empty, im: empty } : empty);
    }
    return vals.length === 0 ? undefined : vals;
  }

  #checkTypes(node: Node): void {
    for (const name of node.outputs) {
      const type = name === undefined ? undefined : this.typeOf(name);
      if (type?.kind !== "tensor") continue;
      if (type.dtype.startsWith("float8")) throw new Unsupported(`tensors of ${type.dtype}`);
    }
  }

  /** Whether an operand or a result is complex. */
  #meetsComplex(node: Node): boolean {
    const results = node.outputs.flatMap((name) => name ?? []);
    return (
      results.some((name) => this.#isComplex(name)) ||
      [...node.args.values()].some((arg) => isComplexArg(arg, this))
    );
  }

  #store(node: Node, results: Results | undefined): void {
    const vals = results === undefined ? [] : isResult(results) ? [results] : results;
    for (const [i, name] of node.outputs.entries()) {
      const type = name === undefined ? undefined : this.typeOf(name);
      if (name === undefined || type === undefined) continue;
      const val = vals[i];
      if (type.kind !== "tensor") {
        if (val !== undefined && "name" in val) this.#g.sizes.bindValue(type.expr, val);
        continue;
      }
      if (val === undefined && !this.isUsed(name)) continue;
      const { dtype, dims, declared } = declare(type);
      const fits = val !== undefined && "re" in val === isComplex(type.dtype);
      if (!fits && results !== undefined) {
        this.#run.log.add(node.origin ?? node.target, ownMistake(`it gave no result ${i}`));
      }
      // A refused op leaves a placeholder, so that the ops behind it are still looked at; the model is discarded.
      const placeholder = { name: "", dtype };
      if (isComplex(type.dtype)) {
        const pair = val !== undefined && "re" in val ? val : { re: placeholder, im: placeholder };
        this.#keepComplex(name, pair);
        continue;
      }
      const cast = val === undefined || "re" in val ? placeholder : this.#g.cast(val, dtype);
      this.#tensors.set(name, { ...cast, dims, declared });
      this.#g.sizes.bindShape(cast, dims);
    }
  }
}

type Results = Result | readonly (Result | undefined)[];

function isResult(results: Results): results is Result {
  return "name" in results || "re" in results;
}

function whyMissing(target: string): string {
  const known = Object.hasOwn(UNTRANSLATED, target) ? UNTRANSLATED[target] : undefined;
  return known?.reason ?? "there is no translation for this op yet";
}
