import type { DeclaredPorts } from "../../base/declared-ports.ts";
import type { Batching, Dim, IndexRange, Signature, TensorSpec } from "../../base/signature.ts";
import { type Binding, misfit, type Wiring } from "./bind-steps.ts";
import { DimNames, joinSizes, rootOf, type SizeClass, sizeClass, sizeText } from "./size-classes.ts";

/** What one model says of a tensor. */
interface Claim {
  /** In words, for messages. */
  readonly who: string;
  readonly spec: Omit<TensorSpec, "dims">;
  /** Undefined: it does not say how many there are. */
  readonly sizes: readonly SizeClass[] | undefined;
}

/** What the settings of another server say of the pipeline's inputs and outputs. */
export type PipelinePorts = DeclaredPorts;

/**
 * What a pipeline takes and gives, as far as its steps say it: a size that two steps share has one symbol. Throws `invalid_argument`/`invalid_config`
 * where datatypes or sizes of a tensor do not fit.
 */
export function joinShapes(
  wiring: Wiring,
  signatures: readonly Signature[],
  ports: PipelinePorts | undefined,
): Signature {
  const tensors = new Map<string, Claim[]>();
  const add = (tensor: string, claim: Claim): void => {
    const claims = tensors.get(tensor);
    if (claims === undefined) tensors.set(tensor, [claim]);
    else claims.push(claim);
  };
  const symbols = wiring.steps.map((_, i) => new StepSizes(signatures[i]!));
  for (const [i, { step, inputs, outputs }] of wiring.steps.entries()) {
    const claim = ({ spec }: Binding, what: string): Claim => ({
      who: `${what} "${spec.name}" of step "${step.name}"`,
      spec,
      sizes: symbols[i]!.of(spec),
    });
    for (const binding of outputs) add(binding.tensor, claim(binding, "output"));
    for (const binding of inputs) add(binding.tensor, claim(binding, "input"));
  }
  for (const { name, spec, sizes } of declaredClaims(ports))
    if (tensors.has(name)) add(name, { who: ports!.source, spec, sizes });
  for (const [tensor, claims] of tensors) agree(tensor, claims);
  const names = new DimNames();
  const specOf = (tensor: string): TensorSpec => joined(tensor, tensors.get(tensor)!, names);
  const inputs = wiring.inputs.map(specOf);
  const outputs = wiring.outputs.map(specOf);
  const batching = joinedBatching(wiring, { signatures, symbols, names, inputs, outputs });
  const areSizesClaimed = signatures.some((signature) => signature.areSizesClaimed === true);
  return { inputs, outputs, batching, ...(areSizesClaimed && { areSizesClaimed }) };
}

/** The sizes of one step's model, by its symbols. */
class StepSizes {
  readonly #symbols = new Map<string, SizeClass>();
  readonly #signature: Signature;

  constructor(signature: Signature) {
    this.#signature = signature;
  }

  of(spec: TensorSpec): readonly SizeClass[] | undefined {
    if (spec.isRankFree === true) return undefined;
    const { wireDims } = spec;
    if (wireDims === undefined) return spec.dims.map((dim) => this.#sizeOf(dim));
    // What clients see: of its free sizes only the batch is the model's own.
    return wireDims.map((size, axis) => {
      const dim = spec.dims[axis];
      if (size !== -1) return sizeClass(size);
      if (axis === 0 && dim !== undefined && this.isBatch(dim)) return this.#sizeOf(dim);
      return sizeClass({ symbol: `${spec.name}.${axis}`, min: 0, max: undefined });
    });
  }

  /** The class of the rows; undefined: the model does not batch. */
  get rows(): SizeClass | undefined {
    const { batching } = this.#signature;
    return batching.kind === "on" ? this.#symbols.get(batching.symbol) : undefined;
  }

  isBatch(dim: Dim): boolean {
    const { batching } = this.#signature;
    return batching.kind === "on" && typeof dim !== "number" && dim.symbol === batching.symbol;
  }

  /** Where nobody holds the model to its symbols, only its rows are the same everywhere. */
  #sizeOf(dim: Dim): SizeClass {
    const isOwn = typeof dim === "number" || (this.#signature.areSizesClaimed === true && !this.isBatch(dim));
    if (isOwn) return sizeClass(dim);
    const known = this.#symbols.get(dim.symbol);
    if (known !== undefined) return known;
    const size = sizeClass(dim);
    this.#symbols.set(dim.symbol, size);
    return size;
  }
}

function declaredClaims(
  ports: PipelinePorts | undefined,
): readonly { readonly name: string; readonly spec: Claim["spec"]; readonly sizes: readonly SizeClass[] }[] {
  if (ports === undefined) return [];
  return [...ports.inputs, ...ports.outputs].map(({ name, datatype, dims }) => {
    const sizes = [...(ports.isBatched ? [-1] : []), ...dims].map((size, axis) =>
      sizeClass(size === -1 ? { symbol: `${name}.${axis}`, min: 0, max: undefined } : size),
    );
    return { name, spec: { name, datatype }, sizes };
  });
}

/** Holds all who say something of a tensor to one another. */
function agree(tensor: string, [first, ...others]: readonly Claim[]): void {
  let known = first!;
  for (const other of others) {
    if (other.spec.datatype !== known.spec.datatype)
      throw misfit(
        `the tensor "${tensor}" is ${known.spec.datatype} as ${known.who}, and ${other.spec.datatype} as ${other.who}`,
      );
    if (other.sizes === undefined) continue;
    if (known.sizes === undefined) {
      known = other;
      continue;
    }
    if (known.sizes.length !== other.sizes.length)
      throw misfit(
        `the tensor "${tensor}" has ${count(known.sizes.length)} as ${known.who}, and ${count(other.sizes.length)} as ${other.who}`,
      );
    for (const [axis, size] of other.sizes.entries()) {
      const before = known.sizes[axis]!;
      const texts = [sizeText(before), sizeText(size)];
      if (!joinSizes(before, size))
        throw misfit(
          `dimension ${axis} of the tensor "${tensor}" is ${texts[0]} as ${known.who}, and ${texts[1]} as ${other.who}`,
        );
    }
  }
}

function count(dimensions: number): string {
  return dimensions === 1 ? "1 dimension" : `${dimensions} dimensions`;
}

function joined(tensor: string, claims: readonly Claim[], names: DimNames): TensorSpec {
  const { datatype } = claims[0]!.spec;
  const sizes = claims.find((claim) => claim.sizes !== undefined)?.sizes;
  const indices = claims.reduce<IndexRange | undefined>(
    (range, { spec }) => both(range, spec.indices),
    undefined,
  );
  const limits = claims.flatMap(({ spec }) => spec.maxElementBytes ?? []);
  return {
    name: tensor,
    datatype,
    dims: (sizes ?? []).map((size) => names.dimOf(size)),
    ...(sizes === undefined && { isRankFree: true }),
    ...(indices !== undefined && { indices }),
    ...(limits.length > 0 && { maxElementBytes: Math.min(...limits) }),
  };
}

function both(a: IndexRange | undefined, b: IndexRange | undefined): IndexRange | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return { min: Math.max(a.min, b.min), max: Math.min(a.max, b.max) };
}

interface Joined extends Pick<Signature, "inputs" | "outputs"> {
  readonly signatures: readonly Signature[];
  readonly symbols: readonly StepSizes[];
  readonly names: DimNames;
}

/** Rows are rows of the pipeline when every step batches along the same size, and every input and output begins with it. */
function joinedBatching(
  { steps }: Wiring,
  { signatures, symbols, names, inputs, outputs }: Joined,
): Batching {
  for (const [i, { batching }] of signatures.entries())
    if (batching.kind === "off")
      return { kind: "off", reason: `step "${steps[i]!.step.name}": ${batching.reason}` };
  const classes = new Set(symbols.map(({ rows }) => rows && rootOf(rows)));
  const [rows] = classes;
  if (classes.size !== 1 || rows === undefined)
    return { kind: "off", reason: "the steps do not share one batch dimension" };
  const dim = names.dimOf(rows);
  if (typeof dim === "number") return { kind: "off", reason: `the batch dimension is ${dim} in some step` };
  const stray = [...inputs, ...outputs].find(
    ({ dims: [first] }) => typeof first !== "object" || first.symbol !== dim.symbol,
  );
  if (stray !== undefined)
    return { kind: "off", reason: `the first dimension of "${stray.name}" is not the batch` };
  return { kind: "on", symbol: dim.symbol, maxRows: dim.max };
}
