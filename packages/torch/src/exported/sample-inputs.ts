import { denseBytes, elementCount, type StoredTensor } from "../archive/stored-tensor.ts";
import type { ZipArchive } from "../archive/zip.ts";
import type { Platform } from "../byte-source.ts";
import { openPickle } from "../checkpoint/checkpoint.ts";
import type { PickleArchive } from "../checkpoint/pickle-archive.ts";
import { entriesOf, itemsOf, type PickleValue } from "../checkpoint/pickle-value.ts";
import { BYTE_WIDTHS } from "../dtype.ts";
import { ModelFileError } from "../errors.ts";
import type { Port, SampleTensor } from "../graph/port.ts";

/** Larger samples are left where they are: they are for a warm-up, not for a load test. */
const MAX_BYTES = 64 * 2 ** 20;
const MAX_DEPTH = 16;
const MAX_LEAVES = 10_000;

/**
 * The example inputs `(args, kwargs)` that `torch.export.save` stores in the entry `path`, in the order of `inputs`. Undefined when the
 * archive has none, or none that fit. Throws ModelFileError when the file is broken.
 */
export function readSampleInputs(
  zip: ZipArchive,
  { platform, path }: { readonly platform: Platform; readonly path: string | undefined },
  inputs: readonly Port[],
): SampleTensor[] | undefined {
  if (path === undefined || (zip.entries.get(path)?.byteLength ?? 0) > MAX_BYTES) return undefined;
  const archive = openPickle(zip.open(path), platform);
  const leaves: Leaf[] = [];
  collect({ archive, leaves }, archive.root, { name: undefined, depth: 0 });
  if (leaves.length !== inputs.length || leaves.length === 0) return undefined;
  const samples: SampleTensor[] = [];
  for (const [at, port] of inputs.entries()) {
    const leaf =
      leaves.find(({ name }) => name === port.name) ??
      leaves.find(({ name }) => name !== undefined && port.aliases?.includes(name.toLowerCase())) ??
      leaves[at]!;
    const sample = sampleOf(leaf.tensor, port);
    if (sample === undefined) return undefined;
    samples.push(sample);
  }
  return samples;
}

interface Leaf {
  /** The keywords and positions it was given under, joined as PyTorch names the inputs; undefined for positional ones. */
  readonly name: string | undefined;
  readonly tensor: StoredTensor;
}

/** The tensor as the port takes it; undefined when it is another type or has sizes that the port does not take. */
function sampleOf(tensor: StoredTensor, { name, dtype, dims }: Port): SampleTensor | undefined {
  const { shape } = tensor;
  const fits =
    dims.length === shape.length && dims.every((dim, i) => typeof dim !== "number" || dim === shape[i]);
  if (!fits || elementCount(shape) * BYTE_WIDTHS[tensor.dtype] > MAX_BYTES) return undefined;
  const bytes = denseBytes(name, tensor);
  if (tensor.dtype === dtype) return { dtype, shape, bytes };
  // bfloat16 enters as float32: the same number with 16 more zero bits.
  return tensor.dtype === "bfloat16" && dtype === "float32"
    ? { dtype, shape, bytes: widened(bytes) }
    : undefined;
}

function widened(bytes: Uint8Array): Uint8Array {
  const wide = new Uint8Array(bytes.length * 2);
  for (let i = 0; i < bytes.length; i += 2) wide.set(bytes.subarray(i, i + 2), 2 * i + 2);
  return wide;
}

interface Walk {
  readonly archive: PickleArchive;
  readonly leaves: Leaf[];
}

/** The tensors of the pytree in order; numbers and flags are part of the program. */
function collect(
  walk: Walk,
  value: PickleValue,
  at: { readonly name: string | undefined; readonly depth: number },
): void {
  if (at.depth > MAX_DEPTH || walk.leaves.length > MAX_LEAVES) {
    throw new ModelFileError("limit", "the sample inputs are nested too deeply, or too many");
  }
  const depth = at.depth + 1;
  const entries = entriesOf(value);
  const items = itemsOf(value);
  if (entries !== undefined) {
    for (const [key, item] of entries) collect(walk, item, { name: joined(at.name, String(key)), depth });
  } else if (items !== undefined) {
    for (const [i, item] of items.entries()) {
      collect(walk, item, { name: at.name === undefined ? undefined : joined(at.name, String(i)), depth });
    }
  } else {
    const tensor = walk.archive.tensor(value);
    if (tensor !== undefined) walk.leaves.push({ name: at.name, tensor });
  }
}

function joined(outer: string | undefined, key: string): string {
  return outer === undefined ? key : `${outer}_${key}`;
}
