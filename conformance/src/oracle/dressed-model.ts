import type { OnnxModel } from "@sconce/torch";

type OnnxGraph = OnnxModel["graph"];
type OnnxNode = OnnxGraph["nodes"][number];
type ValueInfo = OnnxGraph["inputs"][number];

/** A model with something before its inputs and behind its outputs, so that ONNX Runtime's optimiser finds something to rewrite. */
export interface DressedModel {
  readonly dress: string;
  readonly model: OnnxModel;
  /** Steps of the optimiser that a program of ours never meets in this dress. */
  readonly without?: string;
  /** The shape that an input takes in which the bare model takes `shape`. */
  inputShape(shape: readonly number[]): readonly number[];
}

/** What goes before an input, or behind an output: nodes from one name to the other. Undefined: nothing fits. */
type Dress = (value: ValueInfo, from: string, to: string) => readonly OnnxNode[] | undefined;

const node = (type: string, inputs: readonly string[], output: string, attributes = {}): OnnxNode => ({
  type,
  domain: "",
  inputs,
  outputs: [output],
  attributes,
});

/** Axes moved on by one, the first one last; and back. */
const onward = (rank: number): number[] => Array.from({ length: rank }, (_, i) => (i + 1) % rank);
const back = (rank: number): number[] => Array.from({ length: rank }, (_, i) => (i + rank - 1) % rank);

const turned =
  (order: (rank: number) => number[]): Dress =>
  ({ dims = [] }, from, to) =>
    dims.length < 2 ? undefined : [node("Transpose", [from], to, { perm: order(dims.length) })];

const through =
  (...types: readonly string[]): Dress =>
  ({ dtype }, from, to) =>
    dtype !== "float32"
      ? undefined
      : types.map((type, i) => {
          const input = i === 0 ? from : `${to}.${i}`;
          return node(type, [input], i === types.length - 1 ? to : `${to}.${i + 1}`);
        });

/** The model as it is, between transpositions, and between activations. */
export function dressedModels(model: OnnxModel): DressedModel[] {
  const same = (shape: readonly number[]): readonly number[] => shape;
  const rolled = (shape: readonly number[]): readonly number[] =>
    shape.length < 2 ? shape : [shape.at(-1)!, ...shape.slice(0, -1)];
  return [
    { dress: "as it is", model, inputShape: same },
    {
      dress: "between transpositions",
      // It crashes where a transposition is cast and then multiplied; the emitter casts first.
      without: "MatmulTransposeFusion",
      model: dressed(model, { before: turned(onward), behind: turned(back) }),
      inputShape: rolled,
    },
    {
      dress: "between activations",
      model: dressed(model, { before: through("Identity"), behind: through("Relu", "Neg") }),
      inputShape: same,
    },
  ];
}

function dressed(model: OnnxModel, dress: { readonly before: Dress; readonly behind: Dress }): OnnxModel {
  const { graph } = model;
  const first: OnnxNode[] = [];
  const last: OnnxNode[] = [];
  const inputs = graph.inputs.map((input) => {
    const nodes = dress.before(input, `${input.name}.dressed`, input.name);
    if (nodes === undefined) return input;
    first.push(...nodes);
    return opened(input);
  });
  const taken = new Set(graph.inputs.map(({ name }) => name));
  const outputs = graph.outputs.map((output) => {
    const nodes = taken.has(output.name)
      ? undefined
      : dress.behind(output, output.name, `${output.name}.dressed`);
    if (nodes === undefined) return output;
    last.push(...nodes);
    return opened(output);
  });
  const changed: OnnxGraph = { ...graph, inputs, outputs, nodes: [...first, ...graph.nodes, ...last] };
  return { ...model, graph: changed };
}

/** Under the other name, with as many dimensions, of any size. */
function opened({ name, dtype, dims }: ValueInfo): ValueInfo {
  return { name: `${name}.dressed`, dtype, dims: dims?.map(() => undefined) };
}
