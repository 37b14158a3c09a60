import type { StoredTensor, TensorStorage } from "../archive/stored-tensor.ts";
import { ModelFileError } from "../errors.ts";
import type { Program, Weight } from "../graph/ir.ts";
import { areFloats, convertFloats } from "./convert-floats.ts";
import type { WeightsFile } from "./weights-file.ts";

/** What training wrappers put before every name: DataParallel, torch.compile, Lightning, and trainers that hold the network. */
const PREFIXES = ["module.", "_orig_mod.", "model.", "net.", "network."];

/** What torch.compile puts before the names of a submodule. */
const COMPILED = "_orig_mod.";

/** Counts training steps; inference never reads it, and old checkpoints lack it. */
const UNREAD = /(^|\.)num_batches_tracked$/;

/** A frozen TorchScript program names its tensors so. */
const SCRIPT_CONSTANT = /^constant_\d+$/;

export interface SwapOptions {
  /** Whether the program lists all its weights, as `.pt2` does; then a name it does not have is an error too. */
  readonly isComplete: boolean;
  /** The name under which the file that holds a tensor can be mapped; null when it cannot, so that its bytes are copied. */
  location(tensor: string): string | null;
}

/**
 * The program with the weights of a file in place of its own, by full name. Constants and buffers that are in no state dict stay. Throws
 * ModelFileError("unsupported") that lists every name that is missing, unexpected, or of another shape or dtype.
 */
export function swapWeights(program: Program, file: WeightsFile, options: SwapOptions): Program {
  const own = [...program.weights.values()].filter((weight) => !isConstant(weight));
  if (own.length === 0) {
    throw new ModelFileError(
      "unsupported",
      "the program has no weights by name (is it frozen?), so none can be swapped",
    );
  }
  const found = withoutPrefix(file, new Set(own.map(({ name }) => name)));
  const tied = new TiedNames(own);
  const problems: string[] = [];
  const weights = new Map<string, Weight>();
  for (const [value, weight] of program.weights) {
    const { name, tensor } = weight;
    const from = found.get(name) ?? found.get(tied.of(tensor).find((other) => found.has(other)) ?? name);
    if (isConstant(weight) || (from === undefined && UNREAD.test(name))) weights.set(value, weight);
    else if (from === undefined) problems.push(`'${name}' is ${file.skipped.get(name) ?? "missing"}`);
    else {
      problems.push(...mismatches(name, tensor, from.tensor));
      weights.set(value, { name, ...placed(tensor, from, options) });
    }
  }
  const names = new Set(own.map(({ name }) => name));
  for (const name of options.isComplete ? found.keys() : []) {
    if (!names.has(name) && !UNREAD.test(name)) problems.push(`'${name}' is unexpected`);
  }
  if (problems.length === 0) return { ...program, weights };
  throw new ModelFileError("unsupported", `the weights do not fit the program: ${problems.join(", ")}`);
}

function isConstant({ isConstant: marked, name }: Weight): boolean {
  return marked === true || SCRIPT_CONSTANT.test(name);
}

function* mismatches(name: string, want: StoredTensor, got: StoredTensor): Generator<string> {
  if (got.shape.join() !== want.shape.join()) {
    yield `'${name}' has the shape [${got.shape.join(", ")}] instead of [${want.shape.join(", ")}]`;
  }
  if (got.dtype !== want.dtype && !areFloats(got.dtype, want.dtype))
    yield `'${name}' is ${got.dtype} instead of ${want.dtype}`;
}

/** The tensor that takes the place of the program's own, in its dtype, and the file to map it from. */
function placed(want: StoredTensor, { name, tensor }: Found, options: SwapOptions): Omit<Weight, "name"> {
  return tensor.dtype !== want.dtype && areFloats(tensor.dtype, want.dtype)
    ? { tensor: convertFloats(name, tensor, want.dtype), file: null }
    : { tensor, file: options.location(name) };
}

interface Found {
  readonly tensor: StoredTensor;
  /** As the file names it. */
  readonly name: string;
}

/**
 * The file's tensors under the program's names: prefixes that all of them have, and the program does not, are dropped, and so is what
 * torch.compile puts into names.
 */
function withoutPrefix({ tensors }: WeightsFile, wanted: ReadonlySet<string>): Map<string, Found> {
  const plain = [...tensors].map(([name, tensor]) => ({
    name,
    tensor,
    own: wanted.has(name) ? name : uncompiled(name),
  }));
  let cut = 0;
  while (!plain.some(({ own }) => wanted.has(own.slice(cut)))) {
    const prefix = PREFIXES.find((text) => plain.every(({ own }) => own.startsWith(text, cut)));
    if (prefix === undefined) break;
    cut += prefix.length;
  }
  return new Map(plain.map(({ name, tensor, own }) => [own.slice(cut), { tensor, name }]));
}

function uncompiled(name: string): string {
  return name.replaceAll(COMPILED, "");
}

/** Which names share one tensor: a file may hold it under one of them only. */
class TiedNames {
  readonly #names = new Map<TensorStorage, Map<string, string[]>>();

  constructor(weights: readonly Weight[]) {
    for (const { name, tensor } of weights) this.of(tensor).push(name);
  }

  of(tensor: StoredTensor): string[] {
    const views = this.#names.get(tensor.storage) ?? new Map<string, string[]>();
    this.#names.set(tensor.storage, views);
    const view = `${tensor.storageOffset}:${tensor.shape}:${tensor.strides}`;
    const names = views.get(view) ?? [];
    views.set(view, names);
    return names;
  }
}
