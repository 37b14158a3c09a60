import { ByteWriter, encodeJsonTensor, writeUtf8 } from "@sconce/protocol";
import type { InferResponse } from "../../base/infer-request.ts";
import type { NamedTensor } from "../../base/tensor.ts";

/**
 * Encodes `{"prediction": value}` for a model with one output, `{"prediction": {name: value, …}}` for others; arrays nested by shape. NaN and
 * ±Infinity become null, because most JSON readers refuse the bare words (the v2 API has them). With `unbatched`, a leading dimension of
 * one row is left out again.
 */
export function encodePrediction(response: InferResponse, unbatched: boolean): Uint8Array {
  const out = new ByteWriter(512, Buffer.allocUnsafe);
  out.ascii('{"prediction":');
  const { outputs } = response;
  if (outputs.length === 1) {
    write(out, outputs[0]!, unbatched);
  } else {
    for (let i = 0; i < outputs.length; i++) {
      writeUtf8(out, `${i === 0 ? "{" : ","}${JSON.stringify(outputs[i]!.name)}:`);
      write(out, outputs[i]!, unbatched);
    }
    out.ascii(outputs.length === 0 ? "{}" : "}");
  }
  out.ascii("}");
  return out.finish();
}

function write(out: ByteWriter, output: NamedTensor, unbatched: boolean): void {
  const { shape } = output;
  const tensor = unbatched && shape[0] === 1 ? { ...output, shape: shape.slice(1) } : output;
  encodeJsonTensor(out, tensor, { layout: "nested", nonFinite: "null" });
}
