import type { NodePlace, OnnxGraph } from "@sconce/torch";

/**
 * Where the values of an ONNX file come from, by the names of its nodes: PyTorch's exporter calls them
 * `/encoder/layer.0/attention/self/MatMul_1`.
 */
export function onnxPlaces({ nodes }: OnnxGraph): Map<string, NodePlace> {
  const places = new Map<string, NodePlace>();
  for (const { name = "", type, outputs } of nodes) {
    if (!name.startsWith("/")) continue;
    const module = name.split("/").slice(1, -1).join(".");
    for (const output of outputs) places.set(output, { module, op: type });
  }
  return places;
}
