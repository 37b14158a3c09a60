import { exampleSize, type TensorSpec } from "../../../base/signature.ts";
import { elementCount } from "../../../base/tensor.ts";
import type { RestCall } from "./rest-call.ts";

/** More numbers than this are not for pasting. */
const MAX_EXAMPLE_ELEMENTS = 256;

/** A line to paste that asks a model for a prediction, of the server as this client knows it. */
export function exampleRequest(call: RestCall, model: string, inputs: readonly TensorSpec[]): string {
  const values = inputs.map(exampleValue);
  const example =
    inputs.length === 1
      ? values[0]
      : `{${inputs.map(({ name }, i) => `${JSON.stringify(name)}: ${values[i]}`).join(", ")}}`;
  return `curl http://${hostOf(call)}/predict/${model} -d '{"input": ${example}}'`;
}

/** One row of zeros (or empty texts) in an input's shape, to paste; "…" where that would be long. */
function exampleValue(spec: TensorSpec): string {
  const shape = spec.dims.map(exampleSize);
  if (elementCount(shape) > MAX_EXAMPLE_ELEMENTS) return "…";
  const element = spec.datatype === "BYTES" ? '""' : spec.datatype === "BOOL" ? "false" : "0";
  return shape.reduceRight((inner, size) => `[${new Array<string>(size).fill(inner).join(",")}]`, element);
}

/** The host as the client knows it; anything unusual is replaced, since it ends up in a page or a shell. */
function hostOf(call: RestCall): string {
  const { host } = call.request.headers;
  return host !== undefined && /^[A-Za-z0-9.:[\]-]{1,255}$/.test(host) ? host : "127.0.0.1:8080";
}
