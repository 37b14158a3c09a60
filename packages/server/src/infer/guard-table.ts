import type { GuardCondition, GuardOp, SizeGuard, TensorSpec } from "../base/signature.ts";
import type { NamedTensor } from "../base/tensor.ts";
import { applyGuardOp, GUARD_CODES } from "./guard-arithmetic.ts";

/** What a step of the table holds: its operation, and the slots of up to three operands. */
const STEP = 4;

/** Where an input without dimensions puts its value. */
interface ValueSite {
  readonly input: number;
  readonly slot: number;
}

/**
 * The guards of a model, compiled into one table: a slot for every size, value and constant, and steps that calculate further slots.
 * What guards have in common is calculated once. A check fills no memory.
 */
export class GuardTable {
  /** One slot per symbol, for the sizes of the request under check. */
  readonly sizes: Float64Array;
  readonly #slots: Float64Array;
  readonly #steps: Int32Array;
  readonly #firstStep: number;
  readonly #values: readonly ValueSite[];
  readonly #results: readonly number[];
  readonly #guards: readonly SizeGuard[];

  /** `symbols`: the slot of each symbol. */
  constructor(
    guards: readonly SizeGuard[],
    symbols: ReadonlyMap<string, number>,
    inputs: readonly TensorSpec[],
  ) {
    const compiler = new GuardCompiler(symbols, inputs);
    const results = guards.map(({ condition }) => compiler.slotOf(condition));
    const { leaves, steps } = compiler;
    // Slots of steps follow those of leaves, whose number was not known while the steps were made.
    const slot = (id: number): number => (id < 0 ? leaves.length - 1 - id : id);
    this.#slots = new Float64Array(leaves.length + steps.length);
    this.#slots.set(leaves);
    this.#steps = Int32Array.from(steps.flatMap(([op, ...args]) => [op, ...args.map(slot)]));
    this.#firstStep = leaves.length;
    this.#values = compiler.values;
    this.#results = results.map(slot);
    this.#guards = guards;
    this.sizes = this.#slots.subarray(0, symbols.size);
  }

  /** The first guard that the sizes and these inputs (in signature order) fail; undefined when all hold. */
  firstFailed(inputs: readonly NamedTensor[]): SizeGuard | undefined {
    const slots = this.#slots;
    const steps = this.#steps;
    for (let i = 0; i < this.#values.length; i++) {
      const site = this.#values[i]!;
      slots[site.slot] = scalarOf(inputs[site.input]!);
    }
    for (let at = 0, slot = this.#firstStep; at < steps.length; at += STEP, slot++) {
      slots[slot] = applyGuardOp(
        steps[at]!,
        slots[steps[at + 1]!]!,
        slots[steps[at + 2]!]!,
        slots[steps[at + 3]!]!,
      );
    }
    for (let i = 0; i < this.#results.length; i++) {
      const value = slots[this.#results[i]!]!;
      if (value === 0 || Number.isNaN(value)) return this.#guards[i];
    }
    return undefined;
  }
}

/** The number that a tensor without dimensions holds; NaN for a datatype that programs do not compute sizes from. */
export function scalarOf({ datatype, bytes }: NamedTensor): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (datatype === "INT64") return Number(view.getBigInt64(0, true));
  if (datatype === "FP64") return view.getFloat64(0, true);
  return datatype === "BOOL" ? view.getUint8(0) : Number.NaN;
}

/** Operation and operands; a negative operand −1 − n is the result of step n. */
type Step = readonly [number, number, number, number];

class GuardCompiler {
  /** Initial values of the slots that no step calculates: symbols, values, constants. */
  readonly leaves: number[];
  readonly steps: Step[] = [];
  readonly values: ValueSite[] = [];
  readonly #symbols: ReadonlyMap<string, number>;
  readonly #inputs: readonly TensorSpec[];
  readonly #known = new Map<string, number>();

  constructor(symbols: ReadonlyMap<string, number>, inputs: readonly TensorSpec[]) {
    this.#symbols = symbols;
    this.#inputs = inputs;
    this.leaves = new Array<number>(symbols.size).fill(Number.NaN);
  }

  slotOf(condition: GuardCondition): number {
    if (typeof condition === "number") return this.#leaf(`${condition}`, condition);
    if (condition.op === "size") return this.#symbols.get(condition.symbol) ?? this.#leaf("?", Number.NaN);
    if (condition.op === "value") return this.#value(condition.input);
    return this.#node(condition.op, condition.args);
  }

  #leaf(key: string, value: number): number {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#known.set(key, this.leaves.push(value) - 1);
    return this.leaves.length - 1;
  }

  #value(name: string): number {
    const key = `input ${name}`;
    const known = this.#known.get(key);
    const input = this.#inputs.findIndex((spec) => spec.name === name);
    if (known !== undefined || input < 0) return known ?? this.#leaf("?", Number.NaN);
    const slot = this.#leaf(key, Number.NaN);
    this.values.push({ input, slot });
    return slot;
  }

  /** Sums, products and their like of more than two operands become chains. */
  #node(op: GuardOp, args: readonly GuardCondition[]): number {
    const [first, ...rest] = args.map((arg) => this.slotOf(arg));
    if (first === undefined) return this.#leaf("?", Number.NaN);
    if (op === "ite") return this.#step(op, first, rest[0] ?? first, rest[1] ?? first);
    if (rest.length === 0) return isChain(op) ? first : this.#step(op, first, first, first);
    return rest.reduce((left, right) => this.#step(op, left, right, right), first);
  }

  #step(op: GuardOp, a: number, b: number, c: number): number {
    const step: Step = [GUARD_CODES[op], a, b, c];
    const key = step.join();
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const id = -this.steps.push(step);
    this.#known.set(key, id);
    return id;
  }
}

function isChain(op: GuardOp): boolean {
  return ["add", "mul", "max", "min", "and", "or"].includes(op);
}
