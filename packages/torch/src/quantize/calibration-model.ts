import type { OnnxModel, OnnxNode, ValueInfo } from "../onnx/model.ts";
import { Rewrite } from "./rewrite.ts";
import { planStatic } from "./static-plan.ts";

/** Which activations are measured; as for the quantization that follows. */
export interface CalibrationOptions {
  /** Weights that stay as they are. */
  readonly exclude?: ReadonlySet<string>;
  /**
   * `ranges` (default): of value i, outputs 2i and 2i + 1 are the smallest and the largest number. `values`: output i is value i itself.
   */
  readonly tells?: "ranges" | "values";
}

/** A model whose outputs are the activations that static quantization needs the ranges of. */
export interface CalibrationModel {
  readonly model: OnnxModel;
  /** The values that `quantizeStatic` needs to know, by name. */
  readonly values: readonly string[];
}

/** A model that takes the inputs of the model itself and tells what static int8 needs to know. Throws ModelFileError("unsupported"). */
export function calibrationModel(
  model: OnnxModel,
  { exclude, tells = "ranges" }: CalibrationOptions,
): CalibrationModel {
  const { measured } = planStatic(model, new Rewrite(model, exclude ?? new Set()));
  const nodes = measured.flatMap((name, i) =>
    tells === "ranges" ? rangeNodes(name, i) : [valueNode(name, i)],
  );
  const dims: ValueInfo["dims"] = tells === "ranges" ? [] : undefined;
  const outputs = nodes.map((node): ValueInfo => ({ name: node.outputs[0]!, dtype: "float32", dims }));
  const { graph } = model;
  return {
    model: { ...model, graph: { ...graph, nodes: [...graph.nodes, ...nodes], outputs } },
    values: measured,
  };
}

function rangeNodes(name: string, at: number): OnnxNode[] {
  return ["ReduceMin", "ReduceMax"].map((type, i) => ({
    type,
    domain: "",
    inputs: [name],
    outputs: [`range.${at}.${i}`],
    attributes: { keepdims: 0 },
  }));
}

/** A copy under a name of its own: the value may be an input of the model. */
function valueNode(name: string, at: number): OnnxNode {
  return { type: "Identity", domain: "", inputs: [name], outputs: [`value.${at}`], attributes: {} };
}
