import type { Emitter } from "../core/emitter.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";

/** ONNX Runtime's recurrent kernels calculate in float32 alone. */
export function asFloat(g: Emitter, tensor: Tensor): Val {
  if (tensor.dtype === "float64") {
    g.warn(
      "recurrent layers run in float32 although the program asks for float64: ONNX Runtime has no such kernel",
    );
  }
  return g.cast(tensor, "float32");
}

/** A state of all layers, [layers · directions, batch, size], cut into those of each. */
export function statesByLayer(g: Emitter, state: Val, layers: number): Val[] {
  if (layers === 1) return [state];
  return g.ops("Split", [state], { count: layers, attributes: { axis: 0, num_outputs: layers } });
}

export function refuseDropout(node: OpNode): void {
  if (node.bool("train") && node.float("dropout") !== 0 && node.int("num_layers") > 1)
    unsupported("it runs with dropout; call model.eval() before exporting");
}
