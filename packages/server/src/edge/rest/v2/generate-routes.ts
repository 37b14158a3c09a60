import { ByteWriter, elementCount, JsonTensorEncoder, writeUtf8 } from "@sconce/protocol";
import { type InferResponse, outputBytes } from "../../../base/infer-request.ts";
import type { Work } from "../../time-slicer.ts";
import { askedModelOf } from "../call/asked-model.ts";
import { type InferenceBody, JSON_TYPE } from "../call/rest-call.ts";
import { type DecodedRequest, type RestDialect, runInference } from "../call/rest-inference.ts";
import type { Route } from "../call/route.ts";
import { readGenerateRequest } from "./generate-request.ts";
import { modelUrls } from "./model-urls.ts";

/** Triton's generate extension: inputs and outputs by name, once as JSON and once as a stream of events. */
export function generateRoutes(): readonly Route[] {
  return [
    {
      method: "POST",
      urls: modelUrls("/generate"),
      run: (call, params) => runInference(call, askedModelOf(call, params), GENERATE),
    },
    {
      method: "POST",
      urls: modelUrls("/generate_stream"),
      run: (call, params) => runInference(call, askedModelOf(call, params), GENERATE_STREAM),
    },
  ];
}

const EVENTS_TYPE = "text/event-stream; charset=utf-8";

const GENERATE = dialect("", "", JSON_TYPE);
/** Every model here answers once, so a stream is one event. */
const GENERATE_STREAM = dialect("data: ", "\n\n", EVENTS_TYPE);

function dialect(before: string, after: string, type: string): RestDialect<DecodedRequest> {
  return {
    needsInputs: () => true,
    decode: (call, body, inputs) =>
      call.workOff(body.length, readGenerateRequest(body, inputs!, call.context.limits)),
    encode: (call, response) =>
      call.workOff(outputBytes(response), encode(response, { before, after, type })),
  };
}

interface Frame {
  readonly before: string;
  readonly after: string;
  readonly type: string;
}

/** One element as it is, several as a flat list. */
function* encode(response: InferResponse, { before, after, type }: Frame): Work<InferenceBody> {
  const { id, model, version, outputs } = response;
  const out = new ByteWriter(512, Buffer.allocUnsafe);
  const own = { ...(id !== undefined && { id }), model_name: model, model_version: version };
  writeUtf8(out, before + JSON.stringify(own).slice(0, -1));
  for (const output of outputs) {
    writeUtf8(out, `,${JSON.stringify(output.name)}:`);
    const isOne = elementCount(output.shape) === 1;
    yield isOne
      ? new JsonTensorEncoder(out, { ...output, shape: [] }, { layout: "nested", nonFinite: "bare" })
      : new JsonTensorEncoder(out, output, { layout: "flat", nonFinite: "bare" });
  }
  out.ascii(`}${after}`);
  return { body: out.finish(), type };
}
