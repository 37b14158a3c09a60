import type { IndexRange } from "../../graph/port.ts";
import type { Dim } from "../../graph/sym.ts";
import { onnxDataType } from "../../onnx/dtype.ts";
import type { GraphBuilder } from "../../onnx/graph-builder.ts";
import type { Val } from "./tensor.ts";

/** Ops whose result holds every element of their first operand; a Cast only to int64, which changes no integer. */
const WHOLE: ReadonlySet<string> = new Set([
  "Cast",
  "Flatten",
  "Identity",
  "Reshape",
  "Squeeze",
  "Transpose",
  "Unsqueeze",
]);

/** Ops whose result holds elements of their first operand. */
const PART: ReadonlySet<string> = new Set([
  "Expand",
  "Gather",
  "GatherElements",
  "GatherND",
  "Slice",
  "Split",
]);

const INT64 = onnxDataType("int64");

/** Which of the graph's inputs are indices, every element of them, and what range that leaves. */
export class IndexInputs {
  readonly #inputs: ReadonlySet<string>;
  readonly #ranges = new Map<string, IndexRange>();
  readonly #areChecked: boolean;

  /** `inputs`: names of those that hold integers. `areChecked`: the caller keeps the inputs in the ranges found here, so that the graph need not check again. */
  constructor(inputs: ReadonlySet<string>, areChecked: boolean) {
    this.#inputs = inputs;
    this.#areChecked = areChecked;
  }

  get ranges(): ReadonlyMap<string, IndexRange> {
    return this.#ranges;
  }

  /** Learns that a value indexes; true when it is an input in a range that its feeder checks. */
  note(builder: GraphBuilder, val: Val, { size, wraps }: { size: Dim | undefined; wraps: boolean }): boolean {
    if (typeof size !== "number" || !builder.isOutermost) return false;
    const input = this.sourceOf(builder, val.name);
    if (input === undefined) return false;
    const known = this.#ranges.get(input);
    const [min, max] = [wraps ? -size : 0, size - 1];
    this.#ranges.set(input, {
      min: Math.max(min, known?.min ?? min),
      max: Math.min(max, known?.max ?? max),
    });
    return this.#areChecked;
  }

  /** The input that all elements of a value are from; undefined for what is calculated. */
  originOf(builder: GraphBuilder, name: string): string | undefined {
    if (this.#inputs.has(name)) return name;
    const producer = builder.producer(name);
    if (producer === undefined || !(WHOLE.has(producer.type) || PART.has(producer.type))) return undefined;
    if (producer.type === "Cast" && producer.attributes["to"] !== INT64) return undefined;
    return this.originOf(builder, producer.inputs[0]!);
  }

  /** The input that a value holds every element of; undefined for what is calculated. */
  sourceOf(builder: GraphBuilder, name: string): string | undefined {
    if (this.#inputs.has(name)) return name;
    const producer = builder.producer(name);
    if (producer === undefined || !WHOLE.has(producer.type)) return undefined;
    if (producer.type === "Cast" && producer.attributes["to"] !== INT64) return undefined;
    return this.sourceOf(builder, producer.inputs[0]!);
  }
}
