import { denseBytes } from "../archive/stored-tensor.ts";
import type { Arg, Graph, Node, Weight } from "./ir.ts";

const FUSED: ReadonlySet<string> = new Set([
  "aten.fused_moving_avg_obs_fake_quant.default",
  "aten._fused_moving_avg_obs_fq_helper.default",
  "aten._fused_moving_avg_obs_fq_helper_functional.default",
]);

/** What a functional observer gives back as it got it, behind its result and the mask. */
const KEPT = ["running_min", "running_max", "scale", "zero_point"] as const;

/**
 * The observers of quantization-aware training that were switched off (`disable_observer`) no longer measure: they are plain fake quantization, or
 * nothing where that is switched off, too. Those that measure stay, to be named by the report.
 */
export function settleObservers(graph: Graph, weights: ReadonlyMap<string, Weight>): Graph {
  if (!graph.nodes.some(({ target }) => FUSED.has(target))) return graph;
  return { ...graph, nodes: graph.nodes.flatMap((node) => settled(node, weights)) };
}

function settled(node: Node, weights: ReadonlyMap<string, Weight>): Node[] {
  if (!FUSED.has(node.target)) return [node];
  const [measures, quantizes] = [isOn(node, "observer_on", weights), isOn(node, "fake_quant_on", weights)];
  if (measures !== false || quantizes === undefined) return [node];
  const [result, mask, ...kept] = node.outputs;
  const isByRow = truth(node.args.get("per_row_fake_quant"));
  // The mask of what is not quantized is for training alone.
  if (isByRow && !quantizes && mask !== undefined) return [node];
  return [
    isByRow ? byRow(node, [result, mask], quantizes) : asOne(node, [result, mask]),
    ...kept.flatMap((name, i) => (name === undefined ? [] : [alias(node, KEPT[i]!, name)])),
  ];
}

function asOne({ target, args }: Node, outputs: Node["outputs"]): Node {
  const given = pick(args, ["self", "scale", "zero_point", "quant_min", "quant_max"]);
  given.set("fake_quant_enabled", args.get("fake_quant_on")!);
  const variant = "aten._fake_quantize_per_tensor_affine_cachemask_tensor_qparams.default";
  return { target: variant, args: given, outputs, origin: target };
}

function byRow(node: Node, outputs: Node["outputs"], quantizes: boolean): Node {
  if (!quantizes) return alias(node, "self", outputs[0]!);
  const given = pick(node.args, ["self", "scale", "zero_point", "quant_min", "quant_max"]);
  given.set("axis", node.args.get("ch_axis")!);
  const variant = "aten.fake_quantize_per_channel_affine_cachemask.default";
  return { target: variant, args: given, outputs, origin: node.target };
}

function alias({ target, args }: Node, name: string, output: string | undefined): Node {
  return {
    target: "aten.alias.default",
    args: new Map([["self", args.get(name)!]]),
    outputs: [output],
    origin: target,
  };
}

function pick(args: Node["args"], names: readonly string[]): Map<string, Arg> {
  return new Map(names.map((name) => [name, args.get(name)!]));
}

/** What a switch of the file says; undefined where it is calculated. */
function isOn({ args }: Node, name: string, weights: ReadonlyMap<string, Weight>): boolean | undefined {
  const arg = args.get(name);
  const weight = arg?.kind === "value" ? weights.get(arg.name) : undefined;
  if (weight === undefined) return undefined;
  return denseBytes(weight.name, weight.tensor).some((byte) => byte !== 0);
}

function truth(arg: Arg | undefined): boolean {
  return arg?.kind === "bool" && arg.value;
}
