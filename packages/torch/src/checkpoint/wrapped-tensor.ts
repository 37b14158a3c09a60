import { checkExtent, type StoredTensor } from "../archive/stored-tensor.ts";
import { isZip } from "../archive/zip.ts";
import type { ByteSource, Platform } from "../byte-source.ts";
import { ModelFileError } from "../errors.ts";
import { openPickle } from "./checkpoint.ts";
import { asNode, calleeOf, entriesOf, itemsOf, type PickleValue } from "./pickle-value.ts";
import { isTensorCall } from "./rebuild-tensor.ts";

/** A tensor subclass as data: the plain tensors that it is made of. What they mean together only its own code says. */
export interface WrappedTensor {
  /** Such as "torchao.quantization.Int8Tensor". */
  readonly className: string;
  /** By attribute: "qdata", "scale". */
  readonly parts: ReadonlyMap<string, StoredTensor>;
}

/** Parameters wrap tensors this deep at most. */
const MAX_WRAPPERS = 4;

/**
 * The tensor subclass that `torch.save` wrote alone into a file, as its attributes; undefined when the file holds something else. Nothing of
 * the class is run. Throws ModelFileError.
 */
export function readWrappedTensor(source: ByteSource, platform: Platform): WrappedTensor | undefined {
  if (!isZip(source)) return undefined;
  const archive = openPickle(source, platform);
  let root: PickleValue | undefined = archive.root;
  for (let depth = 0; depth < MAX_WRAPPERS && isParameter(root); depth += 1)
    root = asNode(root, "call")?.args[0];
  if (calleeOf(root) !== "torch._tensor._rebuild_from_type_v2") return undefined;
  const [, type, , state] = asNode(root, "call")!.args;
  const className = asNode(type, "global")?.path;
  // A class with slots has its dict first.
  const attributes = entriesOf(state) ?? entriesOf(itemsOf(state)?.[0]);
  if (className === undefined || attributes === undefined) return undefined;
  const parts = new Map<string, StoredTensor>();
  for (const [name, value] of attributes) {
    if (typeof name !== "string" || !isTensorCall(value) || isSubclass(value)) continue;
    const tensor = archive.tensor(value);
    if (tensor === undefined) continue;
    checkExtent(name, tensor);
    parts.set(name, tensor);
  }
  return { className, parts };
}

function isParameter(value: PickleValue | undefined): boolean {
  return calleeOf(value)?.startsWith("torch._utils._rebuild_parameter") === true;
}

function isSubclass(value: PickleValue): boolean {
  return calleeOf(value) === "torch._tensor._rebuild_from_type_v2";
}

/** What to do about a tensor subclass that is more to its program than the tensors inside. */
export function refuseWrapped(name: string, className: string): never {
  throw new ModelFileError(
    "unsupported",
    `the weight '${name}' is a tensor subclass (${className.slice(0, 120)}); export with torch.export.export(…).run_decompositions({}), or export the float model and quantize the file here`,
  );
}
