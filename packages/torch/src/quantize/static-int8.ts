import { ModelFileError } from "../errors.ts";
import type { OnnxModel, OnnxNode, ReadExternal } from "../onnx/model.ts";
import { bytesOf, maxCode, perColumn, perRow, transposed } from "./int8-codes.ts";
import { leftWeights } from "./left-weights.ts";
import type { ProductNode } from "./product-node.ts";
import type { QuantizedModel } from "./quantize-options.ts";
import { Rewrite } from "./rewrite.ts";
import { planStatic, type StaticStep } from "./static-plan.ts";
import { weightFloats } from "./weight-floats.ts";

/** The smallest and the largest number that a value took. */
export interface ValueRange {
  readonly min: number;
  readonly max: number;
}

export interface StaticOptions {
  readonly read: ReadExternal;
  /** 7-bit weights, for CPUs without VNNI. */
  readonly reduceRange?: boolean;
  /** Leave these weights alone. */
  readonly exclude?: ReadonlySet<string>;
}

/**
 * Static int8: activations become uint8 codes by ranges that were measured beforehand, weights int8 codes with a scale per channel,
 * written as QuantizeLinear and DequantizeLinear pairs that ONNX Runtime fuses into integer kernels. Throws ModelFileError("unsupported").
 */
export function quantizeStatic(
  model: OnnxModel,
  ranges: ReadonlyMap<string, ValueRange>,
  options: StaticOptions,
): QuantizedModel {
  const rewrite = new Rewrite(model, options.exclude ?? new Set());
  const plan = planStatic(model, rewrite);
  const codes = new StaticRewrite(rewrite, ranges, options);
  rewrite.eachNode((node) => {
    codes.step(node, plan.steps.get(node));
    for (const name of node.outputs) if (plan.codedOutputs.has(name)) codes.replace(name);
    return true;
  });
  const result = rewrite.finish();
  const { quantized, skipped } = rewrite;
  const outcome = { skipped, exclude: options.exclude ?? new Set<string>(), takesConvolutions: true };
  return { model: result, quantized, skipped: leftWeights(result, outcome) };
}

/** How a value becomes codes: value ≈ (code − zero) · scale. */
interface Coding {
  readonly scale: number;
  readonly names: readonly [string, string];
}

class StaticRewrite {
  readonly #rewrite: Rewrite;
  readonly #ranges: ReadonlyMap<string, ValueRange>;
  readonly #options: StaticOptions;
  readonly #codings = new Map<string, Coding>();
  /** What readers of a value get instead. */
  readonly #replaced = new Map<string, string>();

  constructor(rewrite: Rewrite, ranges: ReadonlyMap<string, ValueRange>, options: StaticOptions) {
    this.#rewrite = rewrite;
    this.#ranges = ranges;
    this.#options = options;
  }

  step(node: OnnxNode, step: StaticStep | undefined): void {
    if (step?.kind === "conv") this.#conv(node);
    else if (step?.kind === "product") this.#product(node, step.product);
    else {
      this.#rewrite.emitAll({ ...node, inputs: node.inputs.map((name) => this.#replaced.get(name) ?? name) });
      if (step?.kind === "mover") this.#codings.set(node.outputs[0]!, this.#coding(node.inputs[0]!));
    }
  }

  /** Turns a value into codes and back, for all who read it from now on. */
  replace(name: string): void {
    this.#replaced.set(name, this.#recoded(name));
  }

  #conv(node: OnnxNode): void {
    const rewrite = this.#rewrite;
    const weight = rewrite.weight(node.inputs[1])!;
    const channels = weight.dims[0]!;
    const [input, bias] = [node.inputs[0]!, node.inputs[2]];
    const quantized = perRow(weightFloats(weight, this.#options.read), channels, maxCode(this.#options));
    const [stored] = rewrite.shared(`static ${weight.name}`, () => [
      this.#dequantized(weight.name, {
        codes: bytesOf(quantized.codes),
        dims: weight.dims,
        scales: quantized.scales,
        axis: 0,
      }),
    ]);
    const x = this.#recoded(input);
    const inputs = [x, stored!];
    if (bias !== undefined && bias !== "") {
      const scales = quantized.scales.map((scale) => scale * this.#coding(input).scale);
      inputs.push(this.#bias(bias, scales) ?? bias);
    }
    rewrite.emitAll({ ...node, inputs });
    rewrite.done(weight.name);
  }

  /** A bias as int32 codes at the scale of the sums it is added to; undefined when it is calculated, or too large for that. */
  #bias(name: string, scales: Float32Array): string | undefined {
    const bias = this.#rewrite.weight(name);
    if (bias === undefined) return undefined;
    const values = weightFloats(bias, this.#options.read);
    const codes = Int32Array.from(values, (value, i) => Math.round(value / scales[i]!));
    if (values.some((value, i) => !(Math.abs(value / scales[i]!) < 2 ** 30))) return undefined;
    const rewrite = this.#rewrite;
    const inputs = [
      rewrite.initializer(`${name}.int32`, { dtype: "int32", dims: [codes.length], data: bytesOf(codes) }),
      rewrite.initializer(`${name}.scale`, { dtype: "float32", dims: [codes.length], data: bytesOf(scales) }),
    ];
    return rewrite.emit({ type: "DequantizeLinear", inputs, attributes: { axis: 0 } });
  }

  #product(node: OnnxNode, { weight, k, n, isTransposed, bias, activation }: ProductNode): void {
    const rewrite = this.#rewrite;
    const [stored] = rewrite.shared(`static ${weight.name} ${isTransposed}`, () => {
      const values = weightFloats(weight, this.#options.read);
      const matrix = isTransposed ? transposed(values, n, k) : values;
      const { codes, scales } = perColumn(matrix, { k, n }, maxCode(this.#options));
      return [this.#dequantized(weight.name, { codes: bytesOf(codes), dims: [k, n], scales, axis: 1 })];
    });
    const inputs = [this.#recoded(activation), stored!];
    const last = bias === undefined ? { outputs: node.outputs } : {};
    const result = rewrite.emit({ type: "MatMul", inputs, ...last });
    if (bias !== undefined) rewrite.emit({ type: "Add", inputs: [result, bias], outputs: node.outputs });
    rewrite.done(weight.name);
  }

  #dequantized(
    name: string,
    {
      codes,
      dims,
      scales,
      axis,
    }: { codes: Uint8Array; dims: readonly number[]; scales: Float32Array; axis: number },
  ): string {
    const rewrite = this.#rewrite;
    const count = scales.length;
    const inputs = [
      rewrite.initializer(`${name}.int8`, { dtype: "int8", dims, data: codes }),
      rewrite.initializer(`${name}.scale`, { dtype: "float32", dims: [count], data: bytesOf(scales) }),
      rewrite.initializer(`${name}.zero`, { dtype: "int8", dims: [count], data: new Uint8Array(count) }),
    ];
    return rewrite.emit({ type: "DequantizeLinear", inputs, attributes: { axis } });
  }

  /** The value through its codes and back. */
  #recoded(name: string): string {
    const known = this.#replaced.get(name);
    if (known !== undefined) return known;
    const rewrite = this.#rewrite;
    const { names } = this.#coding(name);
    return rewrite.shared(`recoded ${name}`, () => {
      const codes = rewrite.emit({ type: "QuantizeLinear", inputs: [name, ...names] });
      return [rewrite.emit({ type: "DequantizeLinear", inputs: [codes, ...names] })];
    })[0]!;
  }

  #coding(name: string): Coding {
    const known = this.#codings.get(name);
    if (known !== undefined) return known;
    const range = this.#ranges.get(name);
    if (range === undefined || !Number.isFinite(range.min) || !Number.isFinite(range.max)) {
      throw new ModelFileError(
        "unsupported",
        `the value '${name}' has no finite range; calibrate on other inputs`,
      );
    }
    // Zero must have a code of its own: padding is made of it.
    const [min, max] = [Math.min(0, range.min), Math.max(0, range.max)];
    const scale = Math.fround(max === min ? 1 : (max - min) / 255);
    const zero = Math.max(0, Math.min(255, Math.round(-min / scale)));
    const rewrite = this.#rewrite;
    const coding: Coding = {
      scale,
      names: [
        rewrite.initializer(`${name}.scale`, {
          dtype: "float32",
          dims: [],
          data: bytesOf(Float32Array.of(scale)),
        }),
        rewrite.initializer(`${name}.zero`, { dtype: "uint8", dims: [], data: Uint8Array.of(zero) }),
      ],
    };
    this.#codings.set(name, coding);
    return coding;
  }
}
