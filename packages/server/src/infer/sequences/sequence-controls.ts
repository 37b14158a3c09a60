import { packBytes } from "@sconce/protocol";
import { ServeError } from "../../base/errors.ts";
import type { SequenceControl } from "../../base/sequence-control.ts";
import type { Signature, TensorSpec } from "../../base/signature.ts";
import type { Datatype, NamedTensor } from "../../base/tensor.ts";
import { tensorIndex } from "../tensor-index.ts";
import { idText, type SequenceFlags } from "./sequence-parameters.ts";

/** Where the request says how large a dimension is. */
interface Site {
  readonly input: number;
  readonly axis: number;
}

interface ControlTensor {
  readonly control: SequenceControl;
  readonly spec: TensorSpec;
  readonly dims: readonly (number | Site)[];
}

/** Inputs of a model that say where in its sequence a request stands. */
export interface ControlPlan {
  /** The signature without them. */
  readonly others: Signature;
  readonly tensors: readonly ControlTensor[];
}

/** Throws `invalid_argument`/`invalid_config` when the model does not have them so. */
export function compileControls(signature: Signature, controls: readonly SequenceControl[]): ControlPlan {
  const index = tensorIndex(signature.inputs);
  const found = controls.map((control) => {
    const spec = signature.inputs[index.get(control.input) ?? -1];
    if (spec === undefined)
      throw invalid(
        `the model has no input ${JSON.stringify(control.input.slice(0, 64))}; it has ${[...index.keys()].join(", ")}`,
      );
    if (spec.datatype !== control.datatype)
      throw invalid(`input "${spec.name}" is ${spec.datatype}, and the control_input ${control.datatype}`);
    return { control, spec };
  });
  const hidden = new Set(found.map(({ spec }) => spec));
  const inputs = signature.inputs.filter((spec) => !hidden.has(spec));
  if (inputs.length === 0) throw invalid("no input would be left for requests");
  const tensors = found.map(
    ({ control, spec }): ControlTensor => ({
      control,
      spec,
      dims: spec.dims.map((dim) => (typeof dim === "number" ? dim : siteOf(spec, dim.symbol, inputs))),
    }),
  );
  return { others: { ...signature, inputs }, tensors };
}

/** What these inputs are for one request. `given`: the inputs before the client's and the state's are told apart; `isStart`: there is no state yet. */
export function controlTensors(
  { tensors }: ControlPlan,
  given: readonly NamedTensor[],
  { flags, isStart }: { readonly flags: SequenceFlags; readonly isStart: boolean },
): NamedTensor[] {
  return tensors.map(({ control, spec, dims }) => {
    const shape = dims.map((dim) => (typeof dim === "number" ? dim : given[dim.input]!.shape[dim.axis]!));
    const count = shape.reduce((product, size) => product * size, 1);
    const { name, datatype } = spec;
    return { name, datatype, shape, bytes: repeated(elementOf(control, flags, isStart), count) };
  });
}

function elementOf(
  { kind, datatype, no, yes }: SequenceControl,
  flags: SequenceFlags,
  isStart: boolean,
): Uint8Array {
  if (kind === "CORRID") return idElement(datatype, flags.id);
  const isTrue = kind === "READY" || (kind === "START" ? isStart : flags.isEnd);
  return numberElement(datatype, BigInt(datatype === "FP32" ? 0 : isTrue ? yes : no), isTrue ? yes : no);
}

function idElement(datatype: Datatype, id: string | undefined): Uint8Array {
  const text = id === undefined ? (datatype === "BYTES" ? "" : "0") : id.slice(1);
  if (datatype === "BYTES") return packBytes([Buffer.from(text)]);
  const isNumber = id === undefined || id.startsWith("#");
  if (!isNumber || BigInt(text) > LARGEST_ID[datatype]!)
    throw new ServeError(
      "invalid_argument",
      `parameters.sequence_id: the model is given it as ${datatype}, which ${idText(id ?? "#0")} is not`,
      { reason: "bad_sequence" },
    );
  return numberElement(datatype, BigInt(text), 0);
}

const LARGEST_ID: Partial<Record<Datatype, bigint>> = {
  UINT64: 2n ** 64n - 1n,
  INT64: 2n ** 63n - 1n,
  UINT32: 2n ** 32n - 1n,
  INT32: 2n ** 31n - 1n,
};

function numberElement(datatype: Datatype, whole: bigint, decimal: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt.asUintN(64, whole), true);
  if (datatype === "FP32") view.setFloat32(0, decimal, true);
  const width = datatype === "BOOL" ? 1 : datatype === "UINT64" || datatype === "INT64" ? 8 : 4;
  return new Uint8Array(view.buffer, 0, width);
}

function repeated(element: Uint8Array, count: number): Uint8Array {
  if (count === 1) return element;
  const bytes = new Uint8Array(element.length * count);
  for (let i = 0; i < count; i++) bytes.set(element, i * element.length);
  return bytes;
}

function siteOf({ name }: TensorSpec, symbol: string, inputs: readonly TensorSpec[]): Site {
  for (const [input, { dims }] of inputs.entries()) {
    const axis = dims.findIndex((dim) => typeof dim !== "number" && dim.symbol === symbol);
    if (axis >= 0) return { input, axis };
  }
  throw invalid(`nothing says how large ${symbol} of the input "${name}" is`);
}

function invalid(message: string): ServeError {
  return new ServeError("invalid_argument", `control_input: ${message}`, { reason: "invalid_config" });
}
