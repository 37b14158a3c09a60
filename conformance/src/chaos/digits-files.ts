import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeModel, encodeModel } from "@sconce/torch";
import { DIGITS_FOLDER, MODELS_FOLDER } from "../expected-digits.ts";
import type { ModelFiles } from "./model-folder.ts";

const EXTERNAL = "weights.bin";

/** In every model.yaml: a version that is loaded without it was loaded wrongly. */
export const BATCH_SIZE = 7;

type Initializer = ReturnType<typeof decodeModel>["graph"]["initializers"][number];

/** The digits model in every shape that a version's folder can have; all give the same answers. */
export const DIGITS_FILES: Readonly<Record<string, ModelFiles>> = {
  "exported program": { "model.pt2": exampleFile("digits.pt2") },
  "program with weights beside it": {
    "model.pt2": exampleFile("digits.pt2"),
    "digits.safetensors": exampleFile("digits.safetensors"),
    "model.yaml": `weights: digits.safetensors\nmax_batch_size: ${BATCH_SIZE}\n`,
  },
  TorchScript: { "model.pt": exampleFile("digits.pt") },
  ONNX: { "model.onnx": exampleFile("digits.onnx") },
  "ONNX with external weights": externalWeights(exampleFile("digits.onnx")),
  "ONNX with external weights, in 8 bits": {
    ...externalWeights(exampleFile("digits.onnx")),
    "model.yaml": `precision: int8\nmax_batch_size: ${BATCH_SIZE}\n`,
  },
};

/** A file of examples/, by its name. */
export function exampleFile(name: string): Uint8Array {
  return readFileSync(join(name === "digits.pt2" ? MODELS_FOLDER : DIGITS_FOLDER, name));
}

/** Moves an ONNX file's weights into a file beside it. */
function externalWeights(onnx: Uint8Array): ModelFiles {
  const model = decodeModel({
    name: "model.onnx",
    byteLength: onnx.byteLength,
    read: (offset, length) => onnx.subarray(offset, offset + length),
  });
  const parts: Uint8Array[] = [];
  let at = 0;
  const initializers = model.graph.initializers.map((initializer): Initializer => {
    const { data: given } = initializer;
    const data =
      given instanceof Uint8Array ? given : onnx.subarray(given.offset, given.offset + given.byteLength);
    if (initializer.dims.length < 2) return { ...initializer, data };
    const moved = { location: EXTERNAL, offset: at, byteLength: data.byteLength };
    parts.push(data);
    at += data.byteLength;
    return { ...initializer, data: moved };
  });
  const rewritten = encodeModel({ ...model, graph: { ...model.graph, initializers } });
  return { "model.onnx": rewritten, [EXTERNAL]: Buffer.concat(parts) };
}
