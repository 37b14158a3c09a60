import { type StoredTensor, storageExtent } from "../archive/stored-tensor.ts";
import { DTYPES, type DType } from "../dtype.ts";
import { ModelFileError } from "../errors.ts";
import { asNode, calleeOf, entriesOf, itemsOf, type PickleCall, type PickleValue } from "./pickle-value.ts";
import { type StorageTable, storageRef } from "./storage-ref.ts";

/** Wrappers around tensors nest this deep at most: a parameter of a typed tensor of a tensor. */
const MAX_WRAPPERS = 8;

/** What a global of the closed table means for a call of it. */
type Rebuild =
  | { readonly kind: "strided" }
  | { readonly kind: "untyped" }
  /** The tensor is the first argument. */
  | { readonly kind: "wrapper" }
  /** The call to make, the class and its arguments are arguments. */
  | { readonly kind: "typed" }
  | { readonly kind: "refused"; readonly reason: string };

const refused = (reason: string): Rebuild => ({ kind: "refused", reason });

/** The closed table: every global that makes a tensor (torch/_utils.py, torch/_tensor.py). Nothing else is ever one. */
const REBUILDS: ReadonlyMap<string, Rebuild> = new Map<string, Rebuild>([
  ["torch._utils._rebuild_tensor", { kind: "strided" }],
  ["torch._utils._rebuild_tensor_v2", { kind: "strided" }],
  ["torch._utils._rebuild_tensor_v3", { kind: "untyped" }],
  ["torch._utils._rebuild_parameter", { kind: "wrapper" }],
  ["torch._utils._rebuild_parameter_with_state", { kind: "wrapper" }],
  ["torch._utils._rebuild_device_tensor_from_cpu_tensor", { kind: "wrapper" }],
  ["torch.nn.parameter.Parameter", { kind: "wrapper" }],
  ["torch.nn.Parameter", { kind: "wrapper" }],
  ["torch._tensor._rebuild_from_type_v2", { kind: "typed" }],
  ["torch._utils._rebuild_qtensor", refused("is quantized by PyTorch; dequantize it before saving")],
  ["torch._utils._rebuild_sparse_tensor", refused("is sparse; save it with to_dense()")],
  ["torch._utils._rebuild_sparse_csr_tensor", refused("is sparse; save it with to_dense()")],
  ["torch._utils._rebuild_nested_tensor", refused("is a nested tensor; save its parts")],
  [
    "torch._utils._rebuild_meta_tensor_no_storage",
    refused("is on the meta device: it was saved without values"),
  ],
  ["torch._utils._rebuild_wrapper_subclass", refused("is a tensor subclass; save plain tensors")],
  [
    "torch._utils._rebuild_device_tensor_from_numpy",
    refused("lies on a device that saves NumPy arrays; move it to the CPU"),
  ],
]);

const PLAIN_TENSOR_CLASSES = new Set([
  "torch.Tensor",
  "torch.nn.parameter.Parameter",
  "torch.nn.parameter.Buffer",
]);

/** Whether a value says it is a tensor, of any kind. */
export function isTensorCall(value: PickleValue | undefined): value is PickleCall {
  return REBUILDS.has(calleeOf(value) ?? "");
}

/**
 * The tensor that a call of the closed table describes; undefined for values that are none. Its bytes stay where they are, and are not
 * checked against it (see `checkExtent`). Throws ModelFileError: "unsupported" for quantized, sparse and subclassed tensors, "corrupt".
 */
export function rebuildTensor(
  value: PickleValue | undefined,
  storages: StorageTable,
): StoredTensor | undefined {
  let call = asNode(value, "call");
  for (let depth = 0; call !== undefined && depth < MAX_WRAPPERS; depth += 1) {
    const rebuild = REBUILDS.get(calleeOf(call) ?? "");
    switch (rebuild?.kind) {
      case undefined:
        if (depth > 0)
          throw new ModelFileError("unsupported", `it is made by ${describeCallee(call)}, which is not run`);
        return undefined;
      case "strided":
        return stridedTensor(call, storages);
      case "untyped":
        return untypedTensor(call, storages);
      case "wrapper":
        call = asNode(call.args[0], "call");
        break;
      case "typed":
        call = innerCall(call);
        break;
      case "refused":
        throw new ModelFileError("unsupported", `it ${rebuild.reason}`);
    }
  }
  if (asNode(value, "call") === undefined) return undefined;
  throw new ModelFileError("corrupt", "a tensor of the pickle wraps no tensor");
}

/** `_rebuild_tensor[_v2](storage, offset, size, stride[, requires_grad, hooks, metadata])` */
function stridedTensor({ args }: PickleCall, storages: StorageTable): StoredTensor {
  if ((entriesOf(args[6]) ?? []).some(([, isSet]) => isSet === true)) {
    throw new ModelFileError(
      "unsupported",
      "it has a conjugate or negative bit; save it with resolve_conj()",
    );
  }
  const ref = storageRef(args[0]);
  if (ref.dtype === undefined) throw new ModelFileError("corrupt", "a tensor of the pickle has no dtype");
  return strided({ dtype: ref.dtype, args }, storages);
}

/** `_rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype[, metadata])`, over an untyped storage. */
function untypedTensor({ args }: PickleCall, storages: StorageTable): StoredTensor {
  const dtype = dtypeOf(args[6]);
  if (dtype === undefined) throw new ModelFileError("unsupported", "it has a dtype that is not known");
  return strided({ dtype, args }, storages);
}

function strided(
  { dtype, args }: { dtype: DType; args: PickleCall["args"] },
  storages: StorageTable,
): StoredTensor {
  const ref = storageRef(args[0]);
  const shape = integers(args[2]);
  const strides = integers(args[3]);
  const offset = args[1];
  if (shape === undefined || strides === undefined || typeof offset !== "number") {
    throw new ModelFileError("corrupt", "a tensor of the pickle has no shape");
  }
  const view = { dtype, shape, strides, storageOffset: offset + ref.viewOffset };
  storageExtent(view);
  return { ...view, storage: storages(ref) };
}

/** `_rebuild_from_type_v2(function, class, args, state)`: plain classes only, a subclass means what its code says. */
function innerCall({ args }: PickleCall): PickleCall {
  const type = asNode(args[1], "global")?.path;
  if (type === undefined || !PLAIN_TENSOR_CLASSES.has(type)) {
    throw new ModelFileError(
      "unsupported",
      `it is a tensor subclass (${JSON.stringify(type)}); save plain tensors`,
    );
  }
  const callee = args[0];
  const inner = itemsOf(args[2]);
  if (callee === undefined || inner === undefined) {
    throw new ModelFileError("corrupt", "a typed tensor of the pickle has no parts");
  }
  return { kind: "call", callee, args: inner, kwargs: undefined, state: undefined, items: [], entries: [] };
}

/** The dtype of a global such as `torch.float32`. */
export function dtypeOf(value: PickleValue | undefined): DType | undefined {
  const name = /^torch\.(\w+)$/.exec(asNode(value, "global")?.path ?? "")?.[1];
  return DTYPES.find((dtype) => dtype === name);
}

/** The integers of a tuple, list or torch.Size. */
function integers(value: PickleValue | undefined): number[] | undefined {
  const items = itemsOf(calleeOf(value) === "torch.Size" ? asNode(value, "call")?.args[0] : value);
  const numbers = items?.filter((item) => typeof item === "number");
  return numbers?.length === items?.length ? numbers : undefined;
}

/** How a message names what a call would have called. */
export function describeCallee(call: PickleCall): string {
  return JSON.stringify(calleeOf(call) ?? "something unnamed").slice(0, 120);
}
