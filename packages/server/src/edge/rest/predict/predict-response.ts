import { ByteWriter, JsonTensorEncoder, writeUtf8 } from "@sconce/protocol";
import type { InferResponse } from "../../../base/infer-request.ts";
import type { NamedTensor } from "../../../base/tensor.ts";
import type { Work } from "../../time-slicer.ts";
import { type InferenceBody, JSON_TYPE } from "../call/rest-call.ts";

/**
 * Encodes `{"prediction": value}` for a model with one output, `{"prediction": {name: value, …}}` for others; arrays nested by shape. NaN and
 * ±Infinity become null, because most JSON readers reject the bare words (the v2 API has them). With `unbatched`, a leading dimension of
 * one row is left out again.
 */
export function* encodePrediction(response: InferResponse, unbatched: boolean): Work<InferenceBody> {
  const out = new ByteWriter(512, Buffer.allocUnsafe);
  out.ascii('{"prediction":');
  const { outputs } = response;
  if (outputs.length === 1) {
    yield new JsonTensorEncoder(out, shaped(outputs[0]!, unbatched), FORM);
  } else {
    for (let i = 0; i < outputs.length; i++) {
      writeUtf8(out, `${i === 0 ? "{" : ","}${JSON.stringify(outputs[i]!.name)}:`);
      yield new JsonTensorEncoder(out, shaped(outputs[i]!, unbatched), FORM);
    }
    out.ascii(outputs.length === 0 ? "{}" : "}");
  }
  out.ascii("}");
  return { body: out.finish(), type: JSON_TYPE };
}

const FORM = { layout: "nested", nonFinite: "null" } as const;

function shaped(output: NamedTensor, unbatched: boolean): NamedTensor {
  const { shape } = output;
  return unbatched && shape[0] === 1 ? { ...output, shape: shape.slice(1) } : output;
}
