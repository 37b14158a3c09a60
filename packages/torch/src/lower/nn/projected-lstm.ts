import { type Dim, sub } from "../../graph/sym.ts";
import { countedLoops } from "../core/counted-loop.ts";
import type { Emitter } from "../core/emitter.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Val } from "../core/tensor.ts";
import { slice } from "../shape/slicing.ts";
import { asFloat, refuseDropout, statesByLayer } from "./recurrent-parts.ts";

/** The parameters of one layer in one direction, in PyTorch's order. */
interface Weights {
  readonly input: Val;
  readonly hidden: Val;
  readonly biases: readonly Val[];
  readonly projection: Val;
}

/** Whether an LSTM projects its hidden state (`proj_size`): each layer then has one parameter more. */
export function isProjected(node: OpNode): boolean {
  return node.items("params").length > layerCount(node) * paramsPerLayer(node);
}

function paramsPerLayer(node: OpNode): number {
  return node.bool("has_biases") ? 4 : 2;
}

function layerCount(node: OpNode): number {
  return node.int("num_layers") * (node.bool("bidirectional") ? 2 : 1);
}

function weightsOf(node: OpNode, g: Emitter): Weights[] {
  const params = node.tensors("params").map((tensor) => asFloat(g, tensor));
  const each = paramsPerLayer(node) + 1;
  return Array.from({ length: layerCount(node) }, (_, i) => {
    const [input, hidden, ...rest] = params.slice(i * each, (i + 1) * each);
    return { input: input!, hidden: hidden!, biases: rest.slice(0, -1), projection: rest.at(-1)! };
  });
}

interface Run {
  readonly weights: Weights;
  /** [batch, size] */
  readonly hidden: Val;
  readonly cell: Val;
  readonly length: Dim;
  readonly isBackward: boolean;
}

/** One layer in one direction over [length, batch, features]: its outputs in the order of the input, its last hidden state and cell. */
function runDirection(g: Emitter, x: Val, { weights, hidden, cell, length, isBackward }: Run): Val[] {
  const turned = (val: Val): Val => g.transpose(val, [1, 0]);
  const products = g.op("MatMul", [x, turned(weights.input)]);
  const gates = weights.biases.reduce((sum, bias) => g.op("Add", [sum, bias]), products);
  const [fromHidden, projection] = [turned(weights.hidden), turned(weights.projection)];
  const last = g.number(sub(length, 1), "int64");
  const count = g.number(length, "int64");
  const [state, end, outputs] = countedLoops(g, { count, initial: [hidden, cell] }, (at, turn, soFar) => {
    const place = isBackward ? at.op("Sub", [last, turn]) : turn;
    const given = at.op("Gather", [gates, place], { axis: 0 });
    const sum = at.op("Add", [given, at.op("MatMul", [soFar[0]!, fromHidden])]);
    const parts = at.ops("Split", [sum], { count: 4, attributes: { axis: -1, num_outputs: 4 } });
    const [input, forget, fresh, output] = parts.map((part, i) =>
      at.op(i === 2 ? "Tanh" : "Sigmoid", [part]),
    );
    const kept = at.op("Mul", [forget!, soFar[1]!]);
    const next = at.op("Add", [kept, at.op("Mul", [input!, fresh!])]);
    const full = at.op("Mul", [output!, at.op("Tanh", [next])]);
    const shown = at.op("MatMul", [full, projection]);
    return { values: [shown, next], collected: [shown] };
  }) as [Val, Val, Val];
  const ordered = isBackward
    ? slice(g, outputs, { axis: 0, start: -1, end: Number.MIN_SAFE_INTEGER, step: -1 })
    : outputs;
  return [ordered, state, end];
}

/** aten::lstm.input with projections, which ONNX's LSTM does not have: a loop over time. */
export function projectedLstm(node: OpNode, g: Emitter): Val[] {
  refuseDropout(node);
  const input = node.tensor("input");
  const batchFirst = node.bool("batch_first");
  const length = input.dims[batchFirst ? 1 : 0]!;
  const directions = node.bool("bidirectional") ? 2 : 1;
  const weights = weightsOf(node, g);
  const [hidden, cell] = node
    .tensors("hx")
    .map((state) => statesByLayer(g, asFloat(g, state), weights.length).map((val) => g.squeeze(val, [0])));
  const ends: [Val[], Val[]] = [[], []];
  let x = batchFirst ? g.transpose(asFloat(g, input), [1, 0, 2]) : asFloat(g, input);
  for (let layer = 0; layer < weights.length; layer += directions) {
    const outputs: Val[] = [];
    for (let i = layer; i < layer + directions; i++) {
      const run = {
        weights: weights[i]!,
        hidden: hidden![i]!,
        cell: cell![i]!,
        length,
        isBackward: i > layer,
      };
      const [output, state, end] = runDirection(g, x, run) as [Val, Val, Val];
      outputs.push(output);
      ends[0].push(g.unsqueeze(state, [0]));
      ends[1].push(g.unsqueeze(end, [0]));
    }
    x = outputs.length === 1 ? outputs[0]! : g.op("Concat", outputs, { axis: -1 });
  }
  const joined = ends.map((vals) => (vals.length === 1 ? vals[0]! : g.op("Concat", vals, { axis: 0 })));
  return [batchFirst ? g.transpose(x, [1, 0, 2]) : x, ...joined];
}
