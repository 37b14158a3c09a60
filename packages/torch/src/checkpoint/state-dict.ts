import { checkExtent, type StoredTensor } from "../archive/stored-tensor.ts";
import { ModelFileError } from "../errors.ts";
import type { PickleArchive } from "./pickle-archive.ts";
import {
  asNode,
  calleeOf,
  entriesOf,
  entryOf,
  itemsOf,
  membersOf,
  type PickleCall,
  type PickleNode,
  type PickleValue,
} from "./pickle-value.ts";
import { isTensorCall } from "./rebuild-tensor.ts";

/** The tensors of a pickle by their full names. */
export interface StateDict {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Tensors that cannot be read, with the reason. */
  readonly skipped: ReadonlyMap<string, string>;
  /** The top-level keys under which the state dict was found, such as `model_state_dict`; empty when the root is it. */
  readonly path: string;
  /** Plain values that lie beside the tensors at the root, such as `epoch`. */
  readonly metadata: ReadonlyMap<string, string | number | boolean>;
}

/** Values visited, all names together. Shared nodes count once per name. */
const MAX_VISITS = 1_000_000;
const MAX_DEPTH = 128;
/** Characters of a full name. */
const MAX_NAME = 4_096;

/** Where training loops keep the state dict inside a larger dict, most telling first. */
const WRAPPERS = [
  "model_state_dict",
  "state_dict",
  "model",
  "module",
  "net",
  "network",
  "weights",
  "params_ema",
  "params",
  "ema_state_dict",
  "ema",
  "checkpoint",
];
/** How deep such keys lie in each other: `checkpoint["model"]["state_dict"]`. */
const MAX_WRAPPERS = 3;

/**
 * Finds the state dict of a checkpoint: a dict of tensors (nested ones are joined by dots), such a dict under a usual key, or a module
 * saved whole, whose `_parameters`, `_buffers` and `_modules` are walked without its code. Throws ModelFileError("limit") for trees
 * without end; tensors that cannot be read are skipped with a reason.
 */
export function findStateDict(archive: PickleArchive): StateDict {
  const { path, node } = locateStateDict(archive.root);
  const walk: Walk = { archive, tensors: new Map(), skipped: new Map(), ancestors: new Set(), visits: 0 };
  visit(walk, "", node);
  return { tensors: walk.tensors, skipped: walk.skipped, path, metadata: plainEntries(archive.root) };
}

interface Walk {
  readonly archive: PickleArchive;
  readonly tensors: Map<string, StoredTensor>;
  readonly skipped: Map<string, string>;
  /** Nodes above the current one: a node inside itself is not entered again. */
  readonly ancestors: Set<PickleValue>;
  visits: number;
}

function locateStateDict(root: PickleValue, depth = 0): { path: string; node: PickleValue } {
  for (const path of depth < MAX_WRAPPERS ? WRAPPERS : []) {
    const node = entryOf(root, path);
    // A step count may be a tensor beside it; a module's own state dict holds no dict of tensors.
    if (node === undefined || !(holdsTensors(node) || !holdsTensors(root)) || !isTree(node)) continue;
    const inner = holdsTensors(node) ? { path: "", node } : locateStateDict(node, depth + 1);
    return { path: inner.path === "" ? path : `${path}.${inner.path}`, node: inner.node };
  }
  return { path: "", node: root };
}

function isTree(node: PickleValue): boolean {
  return entriesOf(node) !== undefined || moduleState(node) !== undefined;
}

function holdsTensors(node: PickleValue): boolean {
  return moduleState(node) !== undefined || (entriesOf(node) ?? []).some(([, value]) => isTensorCall(value));
}

function visit(walk: Walk, name: string, value: PickleValue): void {
  walk.visits += 1;
  if (walk.visits > MAX_VISITS || walk.ancestors.size > MAX_DEPTH) {
    throw new ModelFileError("limit", "the checkpoint nests too deep or repeats itself too often");
  }
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return;
  if (name.length > MAX_NAME)
    throw new ModelFileError("limit", `the checkpoint has a name longer than ${MAX_NAME}`);
  if (isTensorCall(value)) {
    addTensor(walk, name, value);
    return;
  }
  if (walk.ancestors.has(value)) return;
  walk.ancestors.add(value);
  for (const [key, child] of childrenOf(value)) visit(walk, name === "" ? key : `${name}.${key}`, child);
  walk.ancestors.delete(value);
}

function addTensor(walk: Walk, name: string, value: PickleCall): void {
  try {
    const tensor = walk.archive.tensor(value);
    if (tensor === undefined) return;
    checkExtent(name, tensor);
    walk.tensors.set(name, tensor);
  } catch (error) {
    if (!(error instanceof ModelFileError) || error.kind !== "unsupported") throw error;
    walk.skipped.set(name, error.message);
  }
}

function childrenOf(value: PickleNode): Iterable<[string, PickleValue]> {
  const module = moduleState(value);
  if (module !== undefined) return moduleChildren(module);
  const entries = entriesOf(value) ?? scriptAttributes(value);
  if (entries !== undefined) return entries.flatMap(([key, child]) => named(key, child));
  return (itemsOf(value) ?? []).map((child, index) => [String(index), child]);
}

function named(key: PickleValue, value: PickleValue): [string, PickleValue][] {
  return typeof key === "string" || typeof key === "number" ? [[String(key), value]] : [];
}

/** The `__dict__` of an nn.Module that was pickled whole. */
function moduleState(value: PickleValue): PickleValue | undefined {
  const state = asNode(value, "call")?.state;
  return entriesOf(entryOf(state, "_parameters")) !== undefined ? state : undefined;
}

/** As `Module.state_dict()` does it: parameters, persistent buffers, then submodules. */
function* moduleChildren(state: PickleValue): Generator<[string, PickleValue]> {
  const transient = new Set(membersOf(entryOf(state, "_non_persistent_buffers_set")));
  for (const member of ["_parameters", "_buffers", "_modules"]) {
    for (const [key, child] of entriesOf(entryOf(state, member)) ?? []) {
      if (member === "_buffers" && transient.has(key)) continue;
      yield* named(key, child);
    }
  }
}

/** The attributes of a TorchScript object, whose class lies under `__torch__`. */
function scriptAttributes(value: PickleNode): readonly [PickleValue, PickleValue][] | undefined {
  if (!calleeOf(value)?.startsWith("__torch__.")) return undefined;
  return entriesOf(asNode(value, "call")?.state);
}

function plainEntries(root: PickleValue): ReadonlyMap<string, string | number | boolean> {
  const plain = new Map<string, string | number | boolean>();
  for (const [key, value] of entriesOf(root) ?? []) {
    const isPlain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    if (typeof key === "string" && isPlain) plain.set(key, value);
  }
  return plain;
}
