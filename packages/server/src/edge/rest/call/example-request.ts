import { shellWord } from "../../../base/shell-text.ts";
import { exampleSize, type TensorSpec } from "../../../base/signature.ts";
import { elementBytes, elementCount } from "../../../base/tensor.ts";
import type { RestCall } from "./rest-call.ts";

/** More numbers than this are not for pasting. */
const MAX_EXAMPLE_ELEMENTS = 256;

/** A line to paste that asks a model for a prediction, of the server as this client knows it. It works in any shell, whatever the names are. */
export function exampleRequest(call: RestCall, model: string, inputs: readonly TensorSpec[]): string {
  const origin = `${isEncrypted(call) ? "https" : "http"}://${hostOf(call)}`;
  const name = encodeURIComponent(model);
  const isShort = inputs.every((spec) => elementCount(shapeOf(spec)) <= MAX_EXAMPLE_ELEMENTS);
  if (!isShort) return binaryRequest(`${origin}/v2/models/${name}/infer`, inputs);
  const values = inputs.map(exampleValue);
  const example =
    inputs.length === 1
      ? values[0]
      : `{${inputs.map((spec, i) => `${JSON.stringify(spec.name)}: ${values[i]}`).join(", ")}}`;
  return `curl ${shellWord(`${origin}/predict/${name}`)} -d ${shellWord(`{"input": ${example}}`)}`;
}

function shapeOf({ dims }: TensorSpec): number[] {
  return dims.map(exampleSize);
}

/** The smallest number that the input takes, of those that are not negative. */
function elementOf({ datatype, indices }: TensorSpec): string {
  if (datatype === "BYTES") return '""';
  return datatype === "BOOL" ? "false" : String(Math.max(0, indices?.min ?? 0));
}

/** One row of zeros (or empty texts) in an input's shape. */
function exampleValue(spec: TensorSpec): string {
  return shapeOf(spec).reduceRight(
    (inner, size) => `[${new Array<string>(size).fill(inner).join(",")}]`,
    elementOf(spec),
  );
}

/** Zeros as bytes behind a header, for tensors that nobody pastes as text. Texts stay in the header. */
function binaryRequest(url: string, inputs: readonly TensorSpec[]): string {
  let total = 0;
  const described = inputs.map((spec) => {
    const shape = shapeOf(spec);
    const { name, datatype } = spec;
    if (datatype === "BYTES")
      return { name, datatype, shape, data: new Array<string>(elementCount(shape)).fill("") };
    const bytes = elementCount(shape) * elementBytes(datatype);
    total += bytes;
    return { name, datatype, shape, parameters: { binary_data_size: bytes } };
  });
  const header = JSON.stringify({ inputs: described });
  const length = `Inference-Header-Content-Length: ${Buffer.byteLength(header)}`;
  return `(printf %s ${shellWord(header)}; head -c ${total} /dev/zero) | curl ${shellWord(url)} -H ${shellWord(length)} --data-binary @-`;
}

/** The host as the client knows it; anything unusual is replaced, since it ends up in a page or a shell. */
function hostOf(call: RestCall): string {
  const { host } = call.request.headers;
  return host !== undefined && /^[A-Za-z0-9.:[\]-]{1,255}$/.test(host) ? host : "127.0.0.1:8080";
}

/** Whether the client speaks TLS with this server. */
function isEncrypted({ transport }: RestCall): boolean {
  // A message of a WebSocket has no connection of its own.
  if (transport.stream !== undefined) return false;
  const { connection } = transport;
  return [connection, connection.socket].some(
    (socket) =>
      typeof socket === "object" && socket !== null && "encrypted" in socket && socket.encrypted === true,
  );
}
