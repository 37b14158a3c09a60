import { ByteWriter, encodeJsonTensor, JsonTensorEncoder, writeUtf8 } from "@sconce/protocol";
import { type InferResponse, outputBytes } from "../../base/infer-request.ts";
import type { NamedTensor } from "../../base/tensor.ts";
import type { TimeSlicer } from "../time-slicer.ts";

/**
 * Encodes `{"prediction": value}` for a model with one output, `{"prediction": {name: value, …}}` for others; arrays nested by shape. NaN and
 * ±Infinity become null, because most JSON readers reject the bare words (the v2 API has them). With `unbatched`, a leading dimension of
 * one row is left out again.
 */
export async function encodePrediction(
  response: InferResponse,
  unbatched: boolean,
  slicer: TimeSlicer,
): Promise<Uint8Array> {
  const out = new ByteWriter(512, Buffer.allocUnsafe);
  const slices = slicer.open(outputBytes(response));
  const write = async (output: NamedTensor): Promise<void> => {
    const tensor = shaped(output, unbatched);
    if (slices.isAtOnce) encodeJsonTensor(out, tensor, FORM);
    else await slices.finish(new JsonTensorEncoder(out, tensor, FORM));
  };
  out.ascii('{"prediction":');
  const { outputs } = response;
  if (outputs.length === 1) {
    await write(outputs[0]!);
  } else {
    for (let i = 0; i < outputs.length; i++) {
      writeUtf8(out, `${i === 0 ? "{" : ","}${JSON.stringify(outputs[i]!.name)}:`);
      await write(outputs[i]!);
    }
    out.ascii(outputs.length === 0 ? "{}" : "}");
  }
  out.ascii("}");
  return out.finish();
}

const FORM = { layout: "nested", nonFinite: "null" } as const;

function shaped(output: NamedTensor, unbatched: boolean): NamedTensor {
  const { shape } = output;
  return unbatched && shape[0] === 1 ? { ...output, shape: shape.slice(1) } : output;
}
