import type { Port, Translation } from "@sconce/torch";
import type { InferenceSession } from "onnxruntime-node";
import { ServeError } from "../../base/errors.ts";
import type { Dim, Signature, StatePair, TensorSpec } from "../../base/signature.ts";
import type { LoadOptions } from "../runtime.ts";
import { batchingUnderGuards, decideBatching } from "./batching.ts";
import { datatypeOfOrt, datatypeOfTorch } from "./datatypes.ts";
import { declareSignature, isDeclared } from "./declared-signature.ts";
import { placedPorts } from "./placed-ports.ts";
import { renamedPorts } from "./rename.ts";

/** What a translated program takes and gives: its own names, sizes and bounds. */
export function signatureOfPorts(
  { inputs, outputs, guards, state }: PortsAndGuards,
  { ports: declared, state: stated }: Pick<LoadOptions, "ports" | "state"> = {},
): Signature {
  const specs = (ports: readonly Port[]): TensorSpec[] =>
    ports.map((port) => {
      const dtype = port.declared ?? port.dtype;
      const datatype = datatypeOfTorch(dtype);
      if (datatype === undefined) throw unservable(port.name, dtype);
      const { name, aliases, dims, indices } = port;
      return {
        name,
        ...(aliases !== undefined && { aliases }),
        datatype,
        dims,
        ...(indices !== undefined && { indices }),
      };
    });
  const shapes = { inputs: specs(inputs), outputs: specs(outputs) };
  const known = declared === undefined ? shapes : declareSignature(shapes, declared);
  const signature = {
    ...withBatching(known, "pytorch", stateNames(stated, state)),
    ...(state !== undefined && { state }),
  };
  if (guards.length === 0) return signature;
  return { ...signature, guards, batching: batchingUnderGuards(signature.batching, guards) };
}

type PortsAndGuards = Pick<Translation, "inputs" | "outputs" | "guards" | "state">;

/** What an ONNX model takes and gives, and what of its outputs the protocols cannot carry. */
export interface SessionSignature {
  readonly signature: Signature;
  /** The session's names of the outputs in the signature. */
  readonly outputNames: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * What an ONNX file claims. It has names for dimensions, but no bounds; ONNX Runtime holds nobody to the names, and fixes no rank where the
 * shape has no dimensions. Dimensions without a name get one of their own. Outputs that are sequences, maps or optional are left out.
 */
export function signatureOfSession(
  { inputMetadata, outputMetadata }: Pick<InferenceSession, "inputMetadata" | "outputMetadata">,
  { rename, ports: declared, state }: Pick<LoadOptions, "rename" | "ports" | "state">,
): SessionSignature {
  const inputs = inputMetadata.map((value) => {
    const spec = claimedSpec(value);
    return spec.dims.length === 0 ? { ...spec, isRankFree: true } : spec;
  });
  const isFirst = ({ name }: InferenceSession.ValueMetadata, i: number): boolean =>
    outputMetadata.findIndex((other) => other.name === name) === i;
  const kept = outputMetadata.filter((value, i) => value.isTensor && isFirst(value, i));
  const left = outputMetadata.filter(({ isTensor }) => !isTensor);
  if (kept.length === 0 && left[0] !== undefined) throw unservable(left[0].name, "no tensor");
  const outputs = kept.map(claimedSpec);
  const names = renamedPorts(placedPorts({ inputs, outputs }, declared), rename);
  const own = {
    inputs: inputs.map((spec, i) => ({ ...spec, ...names.inputs[i] })),
    outputs: outputs.map((spec, i) => ({ ...spec, ...names.outputs[i] })),
  };
  const known = declared === undefined ? own : declareSignature(own, declared, { areRowsNamed: false });
  const signature = withBatching(known, "onnx", stateNames(state));
  return {
    signature: { ...signature, areSizesClaimed: true },
    outputNames: kept
      .filter((_, i) => declared === undefined || isDeclared(own.outputs[i]!, declared))
      .map(({ name }) => name),
    warnings: left.map(({ name }) => `the output '${name}' is not a tensor and is left out of answers`),
  };
}

function claimedSpec(value: InferenceSession.ValueMetadata): TensorSpec {
  const datatype = value.isTensor ? datatypeOfOrt(value.type) : undefined;
  if (!value.isTensor || datatype === undefined)
    throw unservable(value.name, value.isTensor ? value.type : "no tensor");
  const dims = value.shape.map((size, axis): Dim => {
    if (typeof size === "number") return size;
    return { symbol: size === "" ? `${value.name}.${axis}` : size, min: 0, max: undefined };
  });
  return { name: value.name, datatype, dims };
}

function withBatching(
  { inputs, outputs }: Pick<Signature, "inputs" | "outputs">,
  format: "pytorch" | "onnx",
  state: ReadonlySet<string>,
): Signature {
  const specs = [...inputs, ...outputs];
  // Texts have lengths of their own, so that their rows can only be told apart where they lead.
  const texts = specs.flatMap((spec) =>
    spec.datatype === "BYTES" ? [spec.name, ...(spec.aliases ?? [])] : [],
  );
  const movable = new Set([...state].filter((name) => !texts.includes(name)));
  return { inputs, outputs, batching: decideBatching({ inputs, outputs, state: movable }, format) };
}

/** Of the inputs and outputs that the settings keep, and that the program keeps by itself. */
function stateNames(stated: LoadOptions["state"], own: readonly StatePair[] = []): ReadonlySet<string> {
  return new Set([
    ...Object.entries(stated ?? {}).flat(),
    ...own.flatMap(({ input, output }) => [input, output]),
  ]);
}

function unservable(name: string, type: string): ServeError {
  return new ServeError(
    "failed_precondition",
    `${name} has the element type ${type}, which cannot be carried to the engine and back; cast it inside the model`,
    { reason: "model_refused" },
  );
}
