import { isDatatype } from "@sconce/protocol";
import { ServeError } from "../../base/errors.ts";
import { elementBytes, elementCount, type NamedTensor } from "../../base/tensor.ts";
import { encodeRequest } from "../bench/request-body.ts";
import type { Target } from "../bench/target.ts";
import type { PrivateServer } from "../private/private-server.ts";
import type { VerifyTrial } from "./verify-trials.ts";

/** What one side said: its outputs, or why there are none. */
export type Outcome =
  | { readonly kind: "outputs"; readonly outputs: readonly NamedTensor[] }
  | { readonly kind: "rejected"; readonly why: string };

interface WireOutput {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly parameters: { readonly binary_data_size: number };
}

/** Asks a server's model, as a client would, over binary tensors. Throws `unavailable` when the server is gone. */
export async function askModel(
  server: PrivateServer,
  { inputs, hasSequences }: Pick<VerifyTrial, "inputs"> & Pick<Target, "hasSequences">,
): Promise<Outcome> {
  const target = {
    origin: server.origin,
    model: server.model,
    version: undefined,
    protocol: "binary",
    ...(hasSequences !== undefined && { hasSequences }),
  } as const;
  const { path, headers, bytes } = encodeRequest(target, inputs);
  const response = await fetch(`${server.origin}${path}`, {
    method: "POST",
    headers,
    body: new Uint8Array(bytes),
  }).catch((cause: unknown) => {
    throw new ServeError("unavailable", "the server that ran the model is gone", { cause });
  });
  const body = Buffer.from(await response.arrayBuffer());
  if (!response.ok) {
    const { error = `status ${response.status}` } = JSON.parse(body.toString()) as {
      readonly error?: string;
    };
    return { kind: "rejected", why: error };
  }
  const end = Number(response.headers.get("inference-header-content-length"));
  const head = JSON.parse(body.subarray(0, end).toString()) as { readonly outputs: readonly WireOutput[] };
  let at = end;
  const outputs = head.outputs.map(({ name, datatype, shape, parameters }): NamedTensor => {
    const tensor = body.subarray(at, at + parameters.binary_data_size);
    at += tensor.length;
    if (
      !isDatatype(datatype) ||
      (datatype !== "BYTES" && tensor.length !== elementCount(shape) * elementBytes(datatype))
    )
      throw new ServeError("internal", `the output ${name} cannot be read`);
    return { name, datatype, shape, bytes: tensor };
  });
  return { kind: "outputs", outputs };
}
