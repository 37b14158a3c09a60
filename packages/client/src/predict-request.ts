import type { HttpRequest } from "./ask-endpoint.ts";
import type { ModelName } from "./infer-request.ts";

/** A request of the short form: JSON, or a file's bytes as they are. */
export function predictRequest({ model, version }: ModelName, input: unknown): HttpRequest {
  const versioned = version === undefined ? "" : `/versions/${encodeURIComponent(version)}`;
  const path = `/predict/${encodeURIComponent(model)}${versioned}`;
  if (input instanceof Blob) {
    const type = input.type === "" ? "application/octet-stream" : input.type;
    return { method: "POST", path, headers: { "content-type": type }, body: input };
  }
  if (input instanceof Uint8Array || input instanceof ArrayBuffer) {
    const body = input as BufferSource;
    return { method: "POST", path, headers: { "content-type": "application/octet-stream" }, body };
  }
  const body = JSON.stringify({ input }, (_, value: unknown) => listOf(value));
  return { method: "POST", path, headers: { "content-type": "application/json" }, body };
}

/** Typed arrays as JSON has lists; bigint as its digits, which are all kept. */
function listOf(value: unknown): unknown {
  if (typeof value === "bigint") return rawNumber(value);
  return ArrayBuffer.isView(value) && !(value instanceof DataView)
    ? Array.from(value as unknown as ArrayLike<unknown>)
    : value;
}

function rawNumber(value: bigint): number {
  if (Number.isSafeInteger(Number(value))) return Number(value);
  throw new RangeError(`${value} does not fit a number of JSON's readers; send it by infer()`);
}
