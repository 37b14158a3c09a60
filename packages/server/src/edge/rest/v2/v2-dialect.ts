import { outputBytes } from "../../../base/infer-request.ts";
import { placedBytes, readPlaced } from "../../placed-tensors.ts";
import { sharedMemoryOff } from "../../shared-memory.ts";
import type { RestCall } from "../call/rest-call.ts";
import type { RestDialect } from "../call/rest-inference.ts";
import { bad } from "../json/fields.ts";
import { V2Memory } from "./v2-memory.ts";
import { readRawRequest } from "./v2-raw-request.ts";
import { readV2Request, type V2Request } from "./v2-request.ts";
import { createV2Encoder } from "./v2-response.ts";

/** Inference as the Open Inference Protocol spells it, with Triton's binary tensors. */
export function v2Dialect(): RestDialect<V2Request> {
  const encode = createV2Encoder();
  const memory = new V2Memory();
  return {
    needsInputs: (call, body) => body.length > 0 && jsonLength(call, body) === 0,
    decode(call, body, inputs) {
      if (inputs !== undefined) return readRawRequest(body, inputs);
      const { limits } = call.context;
      const jsonBytes = jsonLength(call, body);
      const model = call.model!;
      const known = jsonBytes === body.length ? memory.recall(model, body, limits) : undefined;
      if (known !== undefined) return known;
      const request = call.workOff(jsonBytes, readV2Request(body, jsonBytes, limits));
      if (request instanceof Promise) return request.then((read) => withPlaced(call, read));
      memory.keep(model, body, request);
      return withPlaced(call, request);
    },
    encode: (call, response, { forms }) =>
      call.workOff(outputBytes(response), encode(response, forms, call.context.regions)),
  };
}

/** A request whose inputs are here, also those that lie in shared memory. */
function withPlaced(call: RestCall, request: V2Request): V2Request | Promise<V2Request> {
  const { placed, forms } = request;
  if (placed === undefined && forms.placed === undefined) return request;
  const { regions, limits } = call.context;
  if (regions === undefined) throw sharedMemoryOff();
  if (placed === undefined) return request;
  const maxBytes = limits.maxBodyBytes;
  const reading = readPlaced(request.inputs, placed, {
    regions,
    maxBytes,
    pay: (bytes) => call.grow(bytes),
  });
  const inputs = call.workOff(placedBytes(placed, maxBytes), reading);
  if (!(inputs instanceof Promise)) return { ...request, inputs };
  return inputs.then((read) => ({ ...request, inputs: read }));
}

/** How much of the body is JSON: all of it, or what `Inference-Header-Content-Length` says (0: no JSON, the body is one raw tensor). */
function jsonLength(call: RestCall, body: Buffer): number {
  const header = call.request.headers["inference-header-content-length"];
  if (header === undefined) return body.length;
  const field = "Inference-Header-Content-Length";
  if (typeof header !== "string" || header.length > 15 || !/^[0-9]+$/.test(header)) {
    throw bad(field, "expected the length of the JSON part in bytes");
  }
  const length = Number(header);
  if (length > body.length)
    throw bad(field, `${length} bytes of JSON announced, but the body has ${body.length}`);
  return length;
}
