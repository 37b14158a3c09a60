import { ModelFileError } from "../errors.ts";
import { valuesOf } from "../graph/dead-code.ts";
import type { Arg, Graph, Node, ValueType } from "../graph/ir.ts";
import type { Emitter } from "./emitter.ts";
import { HIGHER_ORDER, type Regions } from "./higher-order.ts";
import type { Lowering, LoweringTable } from "./lowering.ts";
import { declare, OpNode, type ValueLookup } from "./op-node.ts";
import { Refusal, refuse } from "./refusal.ts";
import { carrier, type Tensor, type Val } from "./tensor.ts";
import { UNTRANSLATED } from "./untranslated.ts";
import type { WeightStore } from "./weights.ts";

/** Counts of ops that could not be translated, by target and reason. */
export class RefusalLog {
  readonly #found = new Map<string, { op: string; reason: string; count: number }>();

  add(op: string, reason: string): void {
    const key = `${op}\n${reason}`;
    const known = this.#found.get(key);
    if (known !== undefined) known.count += 1;
    else this.#found.set(key, { op, reason, count: 1 });
  }

  get isEmpty(): boolean {
    return this.#found.size === 0;
  }

  /** Most frequent first. */
  list(): { op: string; reason: string; count: number }[] {
    return [...this.#found.values()].sort((a, b) => b.count - a.count || (a.op < b.op ? -1 : 1));
  }
}

/** What one graph's lowering shares with those of its subgraphs. */
export interface LoweringRun {
  readonly table: LoweringTable;
  readonly weights: WeightStore;
  readonly log: RefusalLog;
}

/** Lowers the nodes of one graph into an emitter's builder. Every op that cannot be translated is logged, none stops the others. */
export class GraphLowering implements ValueLookup {
  readonly #graph: Graph;
  readonly #g: Emitter;
  readonly #run: LoweringRun;
  readonly #tensors = new Map<string, Tensor>();
  readonly #used: ReadonlySet<string>;

  constructor(graph: Graph, g: Emitter, run: LoweringRun) {
    this.#graph = graph;
    this.#g = g;
    this.#run = run;
    const args = [...graph.nodes.flatMap((node) => [...node.args.values()]), ...graph.outputs];
    this.#used = new Set(args.flatMap(valuesOf));
  }

  typeOf(name: string): ValueType | undefined {
    return this.#graph.values.get(name);
  }

  isUsed(name: string): boolean {
    return this.#used.has(name);
  }

  isWeight(name: string): boolean {
    return this.#run.weights.has(name);
  }

  tensor(name: string): Tensor {
    const known = this.#tensors.get(name);
    if (known !== undefined) return known;
    if (!this.#run.weights.has(name)) {
      throw new ModelFileError("corrupt", `the program uses '${name}' before it is calculated`);
    }
    const tensor = this.#run.weights.tensor(name, this.#g);
    this.#tensors.set(name, tensor);
    return tensor;
  }

  /** Makes an input of the graph known. `val` has the dtype that ONNX sees at the border. */
  bind(name: string, val: Val): void {
    const type = this.typeOf(name);
    if (type?.kind === "tensor") {
      const tensor = { ...this.#g.cast(val, carrier(type.dtype)), dims: type.dims, declared: type.dtype };
      this.#tensors.set(name, tensor);
      this.#g.sizes.bindShape(val, type.dims);
    } else if (type !== undefined) this.#g.sizes.bindValue(type.expr, val);
  }

  lowerNodes(): void {
    for (const node of this.#graph.nodes) this.#lowerNode(node);
  }

  /** The value of a graph output; undefined for one that is no tensor and no number. */
  output(arg: Arg): Val | undefined {
    if (arg.kind === "value") {
      const type = this.typeOf(arg.name);
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
    const lowering = Object.hasOwn(this.#run.table, node.target) ? this.#run.table[node.target] : undefined;
    if (lowering === undefined && this.#isSizeMath(node)) return;
    let results: ReturnType<Lowering> | undefined;
    try {
      this.#checkTypes(node);
      results = this.#emptyResults(node) ?? this.#apply(node, lowering);
    } catch (error) {
      if (error instanceof ModelFileError) throw error;
      const reason = error instanceof Refusal ? error.message : `internal error: ${(error as Error).message}`;
      this.#run.log.add(node.origin ?? node.target, reason);
    }
    this.#store(node, results);
  }

  #apply(node: Node, lowering: Lowering | undefined): ReturnType<Lowering> {
    if (lowering !== undefined) return lowering(new OpNode(node, this), this.#g);
    const higher = Object.hasOwn(HIGHER_ORDER, node.target) ? HIGHER_ORDER[node.target] : undefined;
    if (higher === undefined) throw new Refusal(whyMissing(node.target));
    return higher(node, this.#g, this.#regions);
  }

  /** How graphs inside this one are lowered: they see its values and sizes. */
  get #regions(): Regions {
    return {
      value: (arg) => this.output(arg) ?? refuse("it passes something that is neither a tensor nor a number"),
      lower: (graph, g, operands) => {
        const inner = new GraphLowering(graph, g, this.#run);
        for (const [i, name] of graph.inputs.entries()) {
          const operand = operands[i];
          if (operand !== undefined) inner.bind(name, operand);
        }
        inner.lowerNodes();
        return graph.outputs
          .flatMap((output) => (output.kind === "list" ? output.items : [output]))
          .map(
            (output) => inner.output(output) ?? refuse("one of its graphs has a result that is no tensor"),
          );
      },
    };
  }

  /** Arithmetic on sizes (`sym_size`, `_operator.mul`): the file holds each result as an expression, which is emitted where used. */
  #isSizeMath(node: Node): boolean {
    const types = node.outputs.map((name) => (name === undefined ? undefined : this.typeOf(name)));
    return types.length > 0 && types.every((type) => type !== undefined && type.kind !== "tensor");
  }

  /** Results without elements need no calculation, and several kernels of ONNX Runtime fail on them. */
  #emptyResults(node: Node): Val[] | undefined {
    const types = node.outputs.map((name) => (name === undefined ? undefined : this.typeOf(name)));
    const vals: Val[] = [];
    for (const type of types) {
      if (type?.kind !== "tensor" || !type.dims.includes(0)) return undefined;
      if (type.dims.some((dim) => !this.#g.sizes.isKnown(dim))) return undefined;
      vals.push(this.#g.expand(this.#g.scalar(carrier(type.dtype), 0), type.dims));
    }
    return vals.length === 0 ? undefined : vals;
  }

  #checkTypes(node: Node): void {
    for (const name of node.outputs) {
      const type = name === undefined ? undefined : this.typeOf(name);
      if (type?.kind !== "tensor") continue;
      if (type.dtype.startsWith("complex")) throw new Refusal("complex numbers");
      if (type.dtype.startsWith("float8")) throw new Refusal(`tensors of ${type.dtype}`);
    }
  }

  #store(node: Node, results: Val | readonly (Val | undefined)[] | undefined): void {
    const vals = results === undefined ? [] : isVal(results) ? [results] : results;
    for (const [i, name] of node.outputs.entries()) {
      const type = name === undefined ? undefined : this.typeOf(name);
      if (name === undefined || type === undefined) continue;
      const val = vals[i];
      if (type.kind !== "tensor") {
        if (val !== undefined) this.#g.sizes.bindValue(type.expr, val);
        continue;
      }
      if (val === undefined && !this.isUsed(name)) continue;
      const { dtype, dims, declared } = declare(type);
      if (val === undefined && results !== undefined) {
        this.#run.log.add(node.origin ?? node.target, `internal error: it gave no result ${i}`);
      }
      // A refused op leaves a placeholder, so that the ops behind it are still looked at; the model is discarded.
      const cast = val === undefined ? { name: "", dtype } : this.#g.cast(val, dtype);
      this.#tensors.set(name, { ...cast, dims, declared });
      this.#g.sizes.bindShape(cast, dims);
    }
  }
}

function isVal(result: Val | readonly (Val | undefined)[]): result is Val {
  return "name" in result;
}

function whyMissing(target: string): string {
  const known = Object.hasOwn(UNTRANSLATED, target) ? UNTRANSLATED[target] : undefined;
  return known?.reason ?? "there is no translation for this op yet";
}
