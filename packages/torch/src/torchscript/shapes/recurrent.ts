import type { TensorType } from "../../graph/ir.ts";
import { type Dim, mul } from "../../graph/sym.ts";
import { unsupportedOp } from "../unsupported-op.ts";
import { quotient, requireSame } from "./dims.ts";
import { type ShapeArgs, type ShapeFn, type ShapeTable, tensorType } from "./shape-args.ts";

/** The input has the features that the weights take, and the states have its batch and a place for each layer and direction. */
function requireFit(args: ShapeArgs, states: readonly TensorType[]): void {
  const { dims } = args.tensor("input");
  const [weight, recurrent] = args.tensors("params");
  if (weight !== undefined) requireSame(dims.at(-1)!, weight.dims.at(-1)!);
  const layers = args.int("num_layers") * (args.bool("bidirectional") ? 2 : 1);
  for (const [i, { dims: own }] of states.entries()) {
    requireSame(own[0]!, layers);
    // A cell is as wide as a quarter of its gates, a hidden state as what the recurrent weights take.
    if (weight !== undefined && recurrent !== undefined)
      requireSame(own.at(-1)!, i === 0 ? recurrent.dims.at(-1)! : quotient(weight.dims[0]!, 4));
    if (dims.length === 3 && own.length === 3) requireSame(dims[args.bool("batch_first") ? 0 : 1]!, own[1]!);
  }
}

/** Both directions side by side. */
function width(args: ShapeArgs, { dims }: TensorType): Dim {
  return mul(dims.at(-1)!, args.bool("bidirectional") ? 2 : 1);
}

/** A sequence's shape with other features. */
function sequence(args: ShapeArgs, hidden: TensorType): TensorType {
  const { dtype, dims } = args.tensor("input");
  return tensorType(dtype, [...dims.slice(0, -1), width(args, hidden)]);
}

function states(args: ShapeArgs): [TensorType, TensorType] {
  const [hidden, cell] = args.tensors("hx");
  return hidden === undefined || cell === undefined
    ? unsupportedOp("it has no initial state")
    : [hidden, cell];
}

const lstm: ShapeFn = (args) => {
  const [hidden, cell] = states(args);
  requireFit(args, [hidden, cell]);
  return [sequence(args, hidden), hidden, cell];
};

const recurrent: ShapeFn = (args) => {
  const hidden = args.tensor("hx");
  requireFit(args, [hidden]);
  return [sequence(args, hidden), hidden];
};

/** Sequences of several lengths, packed. */
function packed(args: ShapeArgs, hidden: TensorType): TensorType {
  const { dtype, dims } = args.tensor("data");
  return tensorType(dtype, [dims[0]!, width(args, hidden)]);
}

const packedLstm: ShapeFn = (args) => {
  const [hidden, cell] = states(args);
  return [packed(args, hidden), hidden, cell];
};

const packedRecurrent: ShapeFn = (args) => {
  const hidden = args.tensor("hx");
  return [packed(args, hidden), hidden];
};

/** Rows of all sequences, and how many have each step. */
const packPadded: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("input");
  requireSame(args.tensor("lengths").dims[0]!, dims[args.bool("batch_first") ? 0 : 1]!);
  return [tensorType(dtype, [args.dataSize(), ...dims.slice(2)]), tensorType("int64", [args.dataSize()])];
};

/** The sequences, filled up to the longest or more, and the length of each. */
const padPacked: ShapeFn = (args) => {
  const { dtype, dims } = args.tensor("data");
  const total = args.size("total_length");
  const isGiven = typeof total !== "number" || total > 0;
  const [length, batch] = [isGiven ? total : args.tensor("batch_sizes").dims[0]!, args.dataSize()];
  const leading = args.bool("batch_first") ? [batch, length] : [length, batch];
  return [tensorType(dtype, [...leading, ...dims.slice(1)]), tensorType("int64", [batch])];
};

/** One step of a batch of sequences. */
function requireStep(args: ShapeArgs, hidden: TensorType): void {
  const input = args.tensor("input").dims;
  requireSame(input.at(-1)!, args.tensor("w_ih").dims.at(-1)!);
  requireSame(input[0]!, hidden.dims[0]!);
}

const cell: ShapeFn = (args) => {
  const hidden = args.tensor("hx");
  requireStep(args, hidden);
  return hidden;
};

const lstmCell: ShapeFn = (args) => {
  const [hidden, cell] = states(args);
  requireStep(args, hidden);
  return [hidden, cell];
};

export const RECURRENT: ShapeTable = {
  "lstm.input": lstm,
  "gru.input": recurrent,
  "rnn_tanh.input": recurrent,
  "rnn_relu.input": recurrent,
  "lstm.data": packedLstm,
  "gru.data": packedRecurrent,
  "rnn_tanh.data": packedRecurrent,
  "rnn_relu.data": packedRecurrent,
  _pack_padded_sequence: packPadded,
  _pad_packed_sequence: padPacked,
  lstm_cell: lstmCell,
  gru_cell: cell,
  rnn_tanh_cell: cell,
  rnn_relu_cell: cell,
};
