import type { HttpRequest } from "./ask-endpoint.ts";
import { type TypedTensor, wireBytes } from "./typed-tensor.ts";

/** A model and, where it matters, its version. */
export interface ModelName {
  readonly model: string;
  readonly version: string | undefined;
}

/** What an inference may say beside its inputs. */
export interface InferTerms {
  /** Names of outputs; undefined: all. */
  readonly outputs?: readonly string[] | undefined;
  readonly id?: string | undefined;
  readonly parameters?: Readonly<Record<string, string | number | boolean>> | undefined;
}

/** An inference with its tensors as bytes. */
export type InferMessage = HttpRequest & { readonly body: Uint8Array<ArrayBuffer> };

/** The URL of a model, with something behind it. */
export function modelPath({ model, version }: ModelName, suffix: string): string {
  const versioned = version === undefined ? "" : `/versions/${encodeURIComponent(version)}`;
  return `/v2/models/${encodeURIComponent(model)}${versioned}${suffix}`;
}

/** An inference of the Open Inference Protocol with its binary tensors both ways (Triton's "binary tensor data extension"). */
export function inferRequest(
  name: ModelName,
  inputs: ReadonlyMap<string, TypedTensor>,
  terms: InferTerms,
): InferMessage {
  const tensors = [...inputs].map(([input, tensor]) => ({ input, tensor, bytes: wireBytes(tensor) }));
  const head = new TextEncoder().encode(
    JSON.stringify({
      ...(terms.id !== undefined && { id: terms.id }),
      parameters: { ...terms.parameters, binary_data_output: true },
      inputs: tensors.map(({ input, tensor: { datatype, shape }, bytes }) => ({
        name: input,
        datatype,
        shape,
        parameters: { binary_data_size: bytes.length },
      })),
      ...(terms.outputs !== undefined && { outputs: terms.outputs.map((output) => ({ name: output })) }),
    }),
  );
  return {
    method: "POST",
    path: modelPath(name, "/infer"),
    headers: {
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(head.length),
    },
    body: joined([head, ...tensors.map(({ bytes }) => bytes)]),
  };
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
