import { ByteWriter, JsonTensorEncoder, writeUtf8 } from "@sconce/protocol";
import type { InferResponse } from "../../../base/infer-request.ts";
import type { NamedTensor } from "../../../base/tensor.ts";
import type { MemoryRegions } from "../../memory-regions.ts";
import { writePlaced } from "../../placed-tensors.ts";
import type { Work } from "../../time-slicer.ts";
import { BINARY_TYPE, type InferenceBody, JSON_TYPE } from "../call/rest-call.ts";
import type { OutputForms } from "./v2-request.ts";

/** Texts that are the same in every response of a model; made once per name. */
const MAX_CACHED = 1024;

const FORM = { layout: "flat", nonFinite: "bare" } as const;

/** `regions`: where outputs go that are wanted in shared memory; undefined: none is. */
export type V2Encoder = (
  response: InferResponse,
  forms: OutputForms,
  regions?: MemoryRegions,
) => Work<InferenceBody>;

/** Encodes v2 infer answers (key order as Triton's), large ones in slices. Keeps the parts that depend on names only, per model. */
export function createV2Encoder(): V2Encoder {
  const heads = new Map<string, string>();
  const head = (model: string, version: string): string => {
    const key = `${model}/${version}`;
    let text = heads.get(key);
    if (text === undefined) {
      text = `"model_name":${JSON.stringify(model)},"model_version":${JSON.stringify(version)},"outputs":[`;
      if (heads.size >= MAX_CACHED) heads.clear();
      heads.set(key, text);
    }
    return text;
  };
  return function* (response, forms, regions) {
    const { placed } = forms;
    if (placed !== undefined && regions !== undefined) yield* writePlaced(response.outputs, placed, regions);
    const out = new ByteWriter(512, Buffer.allocUnsafe);
    const binary: Uint8Array[] = [];
    out.ascii("{");
    if (response.id !== undefined) {
      out.ascii('"id":');
      writeUtf8(out, JSON.stringify(response.id));
      out.ascii(",");
    }
    writeUtf8(out, head(response.model, response.version));
    for (let i = 0; i < response.outputs.length; i++) {
      const output = response.outputs[i]!;
      if (i > 0) out.ascii(",");
      if (placed?.has(output.name)) {
        // Nothing says where it went, as in Triton: its clients take any parameters for those of binary data.
        writeHead(out, output);
        out.ascii("}");
      } else if (forms.binary.get(output.name) ?? forms.binaryByDefault) {
        writeHead(out, output);
        out.ascii(`,"parameters":{"binary_data_size":${output.bytes.length}}}`);
        binary.push(output.bytes);
      } else {
        writeHead(out, output);
        out.ascii(',"data":');
        yield new JsonTensorEncoder(out, output, FORM);
        out.ascii("}");
      }
    }
    out.ascii("]}");
    const json = out.finish();
    if (binary.length === 0) return { body: json, type: JSON_TYPE };
    return { body: [json, ...binary], type: BINARY_TYPE, jsonBytes: json.length };
  };
}

function writeHead(out: ByteWriter, { name, datatype, shape }: NamedTensor): void {
  writeUtf8(out, `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(",")}]`);
}
