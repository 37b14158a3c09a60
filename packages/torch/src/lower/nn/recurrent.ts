import type { Dim } from "../../graph/sym.ts";
import type { Attributes } from "../../onnx/model.ts";
import type { Emitter } from "../core/emitter.ts";
import type { Lowering, LoweringTable } from "../core/lowering.ts";
import { unlessNothing } from "../core/nothing.ts";
import type { OpNode } from "../core/op-node.ts";
import type { Tensor, Val } from "../core/tensor.ts";
import { unsupported } from "../core/unsupported.ts";
import { packedPlaces } from "./packed-sequences.ts";
import { isProjected, projectedLstm } from "./projected-lstm.ts";
import { asFloat, refuseDropout, statesByLayer } from "./recurrent-parts.ts";

/** One kind of recurrent layer: PyTorch's and ONNX's orders of the gates differ. */
interface Kind {
  readonly type: "LSTM" | "GRU" | "RNN";
  /** For each of ONNX's gates, its place among PyTorch's. */
  readonly gates: readonly number[];
  /** The activation of a plain RNN; LSTM and GRU have ONNX's default ones. */
  readonly activation?: "Tanh" | "Relu";
}

const LSTM: Kind = { type: "LSTM", gates: [0, 3, 1, 2] };
const GRU: Kind = { type: "GRU", gates: [1, 0, 2] };

function plain(activation: "Tanh" | "Relu"): Kind {
  return { type: "RNN", gates: [0], activation };
}

/** The parameters of one layer in one direction. */
interface Weights {
  readonly input: Val;
  readonly hidden: Val;
  readonly inputBias: Val | undefined;
  readonly hiddenBias: Val | undefined;
}

interface Layer {
  readonly kind: Kind;
  readonly directions: readonly Weights[];
  /** Initial states, [directions, batch, hidden]: hidden, and the cell of an LSTM. */
  readonly initial: readonly Val[];
  readonly hiddenSize: number;
  readonly length: Dim;
  readonly batch: Dim;
  readonly lengths?: Val;
}

/** Puts the gates of a parameter ([gates · hidden, …]) into ONNX's order. */
function reordered(g: Emitter, val: Val, { gates }: Kind): Val {
  if (gates.length === 1) return val;
  const parts = g.ops("Split", [val], {
    count: gates.length,
    attributes: { axis: 0, num_outputs: gates.length },
  });
  return g.op(
    "Concat",
    gates.map((gate) => parts[gate]!),
    { axis: 0 },
  );
}

/** Joins one parameter of all directions along a new first axis. */
function stacked(g: Emitter, vals: readonly Val[]): Val {
  const rows = vals.map((val) => g.unsqueeze(val, [0]));
  return rows.length === 1 ? rows[0]! : g.op("Concat", rows, { axis: 0 });
}

/** Runs one layer over [length, batch, features]; returns the outputs as [length, directions, batch, hidden], then the last states. */
function runLayer(g: Emitter, x: Val, layer: Layer): Val[] {
  const { kind, directions, initial, hiddenSize, length, batch, lengths } = layer;
  const each = (pick: (weights: Weights) => Val): Val => stacked(g, directions.map(pick));
  const hasBias = directions[0]!.inputBias !== undefined;
  const inputs = [
    x,
    each(({ input }) => reordered(g, input, kind)),
    each(({ hidden }) => reordered(g, hidden, kind)),
    hasBias
      ? each(({ inputBias, hiddenBias }) =>
          g.op("Concat", [reordered(g, inputBias!, kind), reordered(g, hiddenBias!, kind)], { axis: 0 }),
        )
      : undefined,
    lengths,
    ...initial,
  ];
  const { activation } = kind;
  const attributes: Attributes = {
    hidden_size: hiddenSize,
    direction: directions.length === 2 ? "bidirectional" : "forward",
    ...(kind.type === "GRU" ? { linear_before_reset: 1 } : {}),
    ...(activation === undefined ? {} : { activations: { strings: directions.map(() => activation) } }),
  };
  const state = [directions.length, batch, hiddenSize];
  return unlessNothing(g, {
    sizes: [batch],
    empty: [[length, ...state], ...initial.map(() => state)].map((dims) => ({ dtype: "float32", dims })),
    emit: (inner) => inner.ops(kind.type, inputs, { count: 1 + initial.length, attributes }),
  });
}

/** Reads the parameters in PyTorch's order: layer by layer, forward before backward. */
function layersOf(node: OpNode, g: Emitter, { perLayer }: { perLayer: number }): Weights[][] {
  const params = node.tensors("params").map((tensor) => asFloat(g, tensor));
  const each = node.bool("has_biases") ? 4 : 2;
  const directions = node.bool("bidirectional") ? 2 : 1;
  return Array.from({ length: node.int("num_layers") }, (_, layer) =>
    Array.from({ length: perLayer }, (_, direction) => {
      const at = (layer * directions + direction) * each;
      const [input, hidden, inputBias, hiddenBias] = params.slice(at, at + each);
      return { input: input!, hidden: hidden!, inputBias, hiddenBias };
    }),
  );
}

/** A batch of sequences, [length, batch, features]. */
interface Sequences {
  readonly x: Val;
  readonly length: Dim;
  readonly batch: Dim;
  /** The length of each, [batch] int32, where they have several. */
  readonly lengths?: Val;
}

/** A whole stack of layers; `states` are the initial hidden (and cell) states of all layers. Gives [length, batch, features] and the last states. */
function stack(node: OpNode, g: Emitter, how: { kind: Kind; states: Tensor[]; given: Sequences }): Val[] {
  const { kind, states, given } = how;
  refuseDropout(node);
  const layerCount = node.int("num_layers");
  const directions = node.bool("bidirectional") ? 2 : 1;
  const hiddenSize = constantSize(states[0]!.dims.at(-1)!);
  const layers = layersOf(node, g, { perLayer: directions });
  const initial = states.map((state) => statesByLayer(g, asFloat(g, state), layerCount));
  const last: Val[][] = states.map(() => []);
  let { x } = given;
  for (const [i, weights] of layers.entries()) {
    const layer = {
      ...given,
      kind,
      directions: weights,
      initial: initial.map((state) => state[i]!),
      hiddenSize,
    };
    const [outputs, ...ends] = runLayer(g, x, layer);
    for (const [j, end] of ends.entries()) last[j]!.push(end);
    x =
      directions === 1
        ? g.squeeze(outputs!, [1])
        : g.reshape(g.transpose(outputs!, [0, 2, 1, 3]), [
            given.length,
            given.batch,
            directions * hiddenSize,
          ]);
  }
  const ends = last.map((vals) => (vals.length === 1 ? vals[0]! : g.op("Concat", vals, { axis: 0 })));
  return [x, ...ends];
}

function recurrent(node: OpNode, g: Emitter, { kind, states }: { kind: Kind; states: Tensor[] }): Val[] {
  const input = node.tensor("input");
  const batchFirst = node.bool("batch_first");
  const [length, batch] = batchFirst ? [input.dims[1]!, input.dims[0]!] : [input.dims[0]!, input.dims[1]!];
  const x = batchFirst ? g.transpose(asFloat(g, input), [1, 0, 2]) : asFloat(g, input);
  const [outputs, ...ends] = stack(node, g, { kind, states, given: { x, length, batch } });
  return [batchFirst ? g.transpose(outputs!, [1, 0, 2]) : outputs!, ...ends];
}

function constantSize(dim: Dim): number {
  return typeof dim === "number" ? dim : unsupported("the size of its hidden state is not constant");
}

/** aten::lstm.input(Tensor input, Tensor[] hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor, Tensor) */
export const lstm: Lowering = (node, g) =>
  isProjected(node) ? projectedLstm(node, g) : recurrent(node, g, { kind: LSTM, states: node.tensors("hx") });

/** aten::gru.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor) */
export const gru: Lowering = (node, g) => recurrent(node, g, { kind: GRU, states: [node.tensor("hx")] });

/**
 * aten::rnn_tanh.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)
 * aten::rnn_relu.input(Tensor input, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor)
 */
function rnn(activation: "Tanh" | "Relu"): Lowering {
  return (node, g) => recurrent(node, g, { kind: plain(activation), states: [node.tensor("hx")] });
}

/**
 * aten::gru.data(Tensor data, Tensor batch_sizes, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional) -> (Tensor, Tensor)
 * aten::rnn_relu.data(Tensor data, Tensor batch_sizes, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional) -> (Tensor, Tensor)
 * aten::rnn_tanh.data(Tensor data, Tensor batch_sizes, Tensor hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional) -> (Tensor, Tensor)
 * aten::lstm.data(Tensor data, Tensor batch_sizes, Tensor[] hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional) -> (Tensor, Tensor, Tensor)
 *
 * Sequences packed by pack_padded_sequence.
 */
function packed(kind: Kind): Lowering {
  return (node, g) => {
    if (isProjected(node)) unsupported("packed sequences with projections; feed the layer a padded batch");
    const states = kind === LSTM ? node.tensors("hx") : [node.tensor("hx")];
    const batch = states[0]!.dims[1]!;
    const data = node.tensor("data");
    const places = packedPlaces(g, node.tensor("batch_sizes"), g.number(batch, "int64"));
    const length = node.tensor("batch_sizes").dims[0]!;
    const x = g.op("ScatterND", [
      g.expand(g.scalar("float32", 0), [length, batch, ...data.dims.slice(1)]),
      places.positions,
      asFloat(g, data),
    ]);
    const given = { x, length, batch, lengths: g.cast(places.lengths, "int32") };
    const [outputs, ...ends] = stack(node, g, { kind, states, given });
    return [g.op("GatherND", [outputs!, places.positions]), ...ends];
  };
}

/** x · wᵀ + b, with or without b. */
function affine(g: Emitter, x: Val, { weight, bias }: { weight: Val; bias: Val | undefined }): Val {
  return g.op("Gemm", [x, weight, bias], { transB: 1 });
}

/** What the input and the hidden state contribute to each gate, in PyTorch's order. */
function cellGates(
  node: OpNode,
  g: Emitter,
  { hidden, count }: { hidden: Val; count: number },
): { fromInput: Val[]; fromHidden: Val[] } {
  const [fromInput, fromHidden] = [
    affine(g, node.tensor("input"), { weight: node.tensor("w_ih"), bias: node.optionalTensor("b_ih") }),
    affine(g, hidden, { weight: node.tensor("w_hh"), bias: node.optionalTensor("b_hh") }),
  ];
  const split = (val: Val): Val[] =>
    count === 1 ? [val] : g.ops("Split", [val], { count, attributes: { axis: 1, num_outputs: count } });
  return { fromInput: split(fromInput), fromHidden: split(fromHidden) };
}

/** aten::lstm_cell(Tensor input, Tensor[] hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None) -> (Tensor, Tensor) */
export const lstmCell: Lowering = (node, g) => {
  const [hidden, cell] = node.tensors("hx");
  const { fromInput, fromHidden } = cellGates(node, g, { hidden: hidden!, count: 4 });
  const gate = (i: number, activation: string): Val =>
    g.op(activation, [g.op("Add", [fromInput[i]!, fromHidden[i]!])]);
  const kept = g.op("Mul", [gate(1, "Sigmoid"), cell!]);
  const next = g.op("Add", [kept, g.op("Mul", [gate(0, "Sigmoid"), gate(2, "Tanh")])]);
  return [g.op("Mul", [gate(3, "Sigmoid"), g.op("Tanh", [next])]), next];
};

/** aten::gru_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None) -> Tensor */
export const gruCell: Lowering = (node, g) => {
  const hidden = node.tensor("hx");
  const { fromInput, fromHidden } = cellGates(node, g, { hidden, count: 3 });
  const gate = (i: number): Val => g.op("Sigmoid", [g.op("Add", [fromInput[i]!, fromHidden[i]!])]);
  const fresh = g.op("Tanh", [g.op("Add", [fromInput[2]!, g.op("Mul", [gate(0), fromHidden[2]!])])]);
  return g.op("Add", [fresh, g.op("Mul", [gate(1), g.op("Sub", [hidden, fresh])])]);
};

/**
 * aten::rnn_tanh_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None) -> Tensor
 * aten::rnn_relu_cell(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None) -> Tensor
 */
function rnnCell(activation: "Tanh" | "Relu"): Lowering {
  return (node, g) => {
    const { fromInput, fromHidden } = cellGates(node, g, { hidden: node.tensor("hx"), count: 1 });
    return g.op(activation, [g.op("Add", [fromInput[0]!, fromHidden[0]!])]);
  };
}

export const RECURRENT: LoweringTable = {
  "aten.lstm.input": lstm,
  "aten.gru.input": gru,
  "aten.rnn_tanh.input": rnn("Tanh"),
  "aten.rnn_relu.input": rnn("Relu"),
  "aten.lstm.data": packed(LSTM),
  "aten.gru.data": packed(GRU),
  "aten.rnn_tanh.data": packed(plain("Tanh")),
  "aten.rnn_relu.data": packed(plain("Relu")),
  "aten.lstm_cell.default": lstmCell,
  "aten.gru_cell.default": gruCell,
  "aten.rnn_tanh_cell.default": rnnCell("Tanh"),
  "aten.rnn_relu_cell.default": rnnCell("Relu"),
};
