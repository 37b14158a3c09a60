/** A tensor of a binary inference request. */
export interface BodyTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** An Open Inference Protocol request with binary tensors both ways, and its headers. */
export function inferBody(tensors: readonly BodyTensor[]): {
  body: Uint8Array;
  headers: Record<string, string>;
} {
  const header = Buffer.from(
    JSON.stringify({
      inputs: tensors.map(({ name, datatype, shape, bytes }) => ({
        name,
        datatype,
        shape,
        parameters: { binary_data_size: bytes.length },
      })),
      parameters: { binary_data_output: true },
    }),
  );
  return {
    body: Buffer.concat([header, ...tensors.map(({ bytes }) => bytes)]),
    headers: {
      "content-type": "application/octet-stream",
      "inference-header-content-length": String(header.length),
    },
  };
}
