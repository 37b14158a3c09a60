import type { Port, Translation } from "@sconce/torch";
import type { InferenceSession } from "onnxruntime-node";
import { ServeError } from "../../base/errors.ts";
import type { Dim, Signature, TensorSpec } from "../../base/signature.ts";
import { batchingUnderGuards, decideBatching } from "./batching.ts";
import { datatypeOfOrt, datatypeOfTorch } from "./datatypes.ts";
import { renamedPorts } from "./rename.ts";

/** What a translated program takes and gives: its own names, sizes and bounds. */
export function signatureOfPorts({ inputs, outputs, guards }: PortsAndGuards): Signature {
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
  const signature = withBatching(specs(inputs), specs(outputs), "pytorch");
  if (guards.length === 0) return signature;
  return { ...signature, guards, batching: batchingUnderGuards(signature.batching, guards) };
}

type PortsAndGuards = Pick<Translation, "inputs" | "outputs" | "guards">;

/**
 * What an ONNX model takes and gives. Its file has names for dimensions, but no bounds: a first dimension is at least 1, others may be 0
 * (an empty past, for instance). Dimensions without a name get one of their own.
 */
export function signatureOfSession(
  session: Pick<InferenceSession, "inputMetadata" | "outputMetadata">,
  rename: Readonly<Record<string, string>> | undefined,
): Signature {
  const specs = (metadata: readonly InferenceSession.ValueMetadata[]): TensorSpec[] =>
    metadata.map((value) => {
      const datatype = value.isTensor ? datatypeOfOrt(value.type) : undefined;
      if (!value.isTensor || datatype === undefined)
        throw unservable(value.name, value.isTensor ? value.type : "no tensor");
      const dims = value.shape.map((size, axis): Dim => {
        if (typeof size === "number") return size;
        return {
          symbol: size === "" ? `${value.name}.${axis}` : size,
          min: axis === 0 ? 1 : 0,
          max: undefined,
        };
      });
      return { name: value.name, datatype, dims };
    });
  const [inputs, outputs] = [specs(session.inputMetadata), specs(session.outputMetadata)];
  const names = renamedPorts({ inputs, outputs }, rename);
  return withBatching(
    inputs.map((spec, i) => ({ ...spec, ...names.inputs[i] })),
    outputs.map((spec, i) => ({ ...spec, ...names.outputs[i] })),
    "onnx",
  );
}

function withBatching(inputs: TensorSpec[], outputs: TensorSpec[], format: "pytorch" | "onnx"): Signature {
  return { inputs, outputs, batching: decideBatching(inputs, outputs, format) };
}

function unservable(name: string, type: string): ServeError {
  return new ServeError(
    "failed_precondition",
    `${name} has the element type ${type}, which the protocols cannot carry; convert it inside the model`,
    { reason: "model_refused" },
  );
}
