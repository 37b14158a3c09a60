import type { NodePlace } from "../code-place.ts";
import { componentDtype } from "../dtype.ts";
import type { NamedArg, Program, ValueType } from "../graph/ir.ts";
import type { Port, SizeGuard } from "../graph/port.ts";
import type { Dim } from "../graph/sym.ts";
import { GraphBuilder } from "../onnx/graph-builder.ts";
import type { OnnxModel, ValueInfo } from "../onnx/model.ts";
import { Emitter } from "./core/emitter.ts";
import { IndexInputs } from "./core/index-inputs.ts";
import { requireNumbers } from "./core/not-a-number.ts";
import { carrier, isFloat, type Val } from "./core/tensor.ts";
import { Unsupported } from "./core/unsupported.ts";
import { WeightStore } from "./core/weight-store.ts";
import { GraphLowering, type LoweringTables } from "./lower-graph.ts";
import { describeGuards } from "./port-guards.ts";
import { PortNames } from "./port-names.ts";
import { guarded } from "./size-demands.ts";
import { UnsupportedOpLog } from "./unsupported-op-log.ts";

const OPSET = 23;

export interface LoweredProgram {
  /** Undefined when an op was refused. */
  readonly model: OnnxModel | undefined;
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly guards: readonly SizeGuard[];
  readonly unsupported: readonly { readonly op: string; readonly count: number; readonly reason: string }[];
  readonly warnings: readonly string[];
  /** Where the model's values come from, by name; undefined: it was not asked for. Values that only lead in and out have the op "". */
  readonly places?: ReadonlyMap<string, NodePlace>;
}

export interface LowerProgramOptions {
  /** The file name that big weights point into; undefined writes them into the model. */
  readonly location: string | undefined;
  /** The caller keeps to `Port.indices`; otherwise the model checks. */
  readonly areIndicesChecked?: boolean;
  /** Whether `places` is wanted; every node gets a name then. */
  readonly keepsPlaces?: boolean;
}

/**
 * Turns a functional program into an ONNX model. Never throws for an op: all that cannot be translated is listed.
 */
export function lowerProgram(
  program: Program,
  tables: LoweringTables,
  { location, areIndicesChecked = false, keepsPlaces = false }: LowerProgramOptions,
): LoweredProgram {
  const builder = new GraphBuilder(undefined, { keepsPlaces });
  const integers = program.inputs.filter(({ value }) => isInteger(program.graph.values.get(value)));
  const indexInputs = new IndexInputs(new Set(integers.map(({ name }) => name)), areIndicesChecked);
  const g = new Emitter(builder, { ranges: program.ranges, indexInputs });
  const log = new UnsupportedOpLog();
  const lowering = new GraphLowering(program.graph, g, {
    tables,
    weights: new WeightStore(program.weights, location),
    log,
  });
  const names = new PortNames(program);
  for (const { name } of program.inputs) builder.unique(name);
  // Where an output is called as an input is, the graph calls it otherwise: it has one space of names.
  const results = program.outputs.map(({ name }) => builder.unique(name));

  const inputs = program.inputs.map(({ name, value }) =>
    describe({ name, arg: { kind: "value", name: value } }, program, names),
  );
  for (const [i, { value }] of program.inputs.entries()) {
    lowering.bind(value, { name: inputs[i]!.name, dtype: inputs[i]!.dtype });
  }
  lowering.lowerNodes();
  const outputs = program.outputs.map((output) => describe(output, program, names));
  const [passing] = g.passingOverNan;
  builder.from({ module: "", op: "" }, () => {
    if (passing !== undefined) {
      const floats = inputs.filter(({ dtype }) => isFloat(dtype));
      g.guards.push(...floats.map(({ name, dtype }) => requireNumbers(g, { name, dtype }, passing)));
    }
    if (log.isEmpty) emitOutputs(program.outputs, outputs, { g, lowering, log, results });
  });
  const graph = log.isEmpty
    ? builder.finish(
        "main",
        inputs.map((port) => valueInfo(port, port.name)),
        outputs.map((port, i) => valueInfo(port, results[i]!)),
      )
    : undefined;
  return {
    model:
      graph === undefined
        ? undefined
        : { graph, opsets: new Map([["", OPSET], ...[...builder.domains].map((d) => [d, 1] as const)]) },
    inputs: inputs.map((port, i) => {
      const indices = indexInputs.ranges.get(port.name);
      return withAliases(indices === undefined ? port : { ...port, indices }, program.inputs[i]!);
    }),
    outputs: outputs.map((port, i) => withAliases(port, program.outputs[i]!)),
    guards: describeGuards(program, names),
    unsupported: log.list(),
    warnings: [...g.warnings, ...complexNotes(program, inputs, outputs)],
    ...(builder.places !== undefined && { places: builder.places }),
  };
}

function withAliases(port: Port, { aliases }: Pick<Port, "aliases">): Port {
  return aliases === undefined ? port : { ...port, aliases };
}

function isInteger(type: ValueType | undefined): boolean {
  return type?.kind === "tensor" && /^u?int\d/.test(type.dtype);
}

/** Complex tensors enter and leave as real ones: what a caller has to know about that. */
function complexNotes(program: Program, inputs: readonly Port[], outputs: readonly Port[]): string[] {
  const note = (what: string, value: string | undefined, port: Port): string[] => {
    const type = value === undefined ? undefined : program.graph.values.get(value);
    if (type?.kind !== "tensor" || componentDtype(type.dtype) === undefined) return [];
    const how = `${port.dtype} with a last dimension of 2 (real part, imaginary part)`;
    return [`the ${what} '${port.name}' is ${type.dtype} in PyTorch: here it is ${how}`];
  };
  return [
    ...program.inputs.flatMap(({ value }, i) => note("input", value, inputs[i]!)),
    ...program.outputs.flatMap(({ arg }, i) =>
      note("output", arg.kind === "value" ? arg.name : undefined, outputs[i]!),
    ),
  ];
}

interface OutputRun {
  readonly g: Emitter;
  readonly lowering: GraphLowering;
  readonly log: UnsupportedOpLog;
  /** The names of the outputs in the graph. */
  readonly results: readonly string[];
}

function emitOutputs(
  args: readonly NamedArg[],
  ports: readonly Port[],
  { g, lowering, log, results }: OutputRun,
): void {
  for (const [i, { arg, name }] of args.entries()) {
    g.scope = name;
    let val: Val | undefined;
    try {
      val = lowering.output(arg);
    } catch (error) {
      if (!(error instanceof Unsupported)) throw error;
      log.add("output", error.message);
    }
    if (val === undefined) continue;
    const { dtype, declared = dtype } = ports[i]!;
    const cast = guarded(g, g.cast(g.cast(val, declared), dtype));
    g.guards.length = 0;
    g.builder.node({
      type: "Identity",
      domain: "",
      inputs: [cast.name],
      outputs: [results[i]!],
      attributes: {},
    });
  }
}

function describe({ name, arg }: NamedArg, program: Program, names: PortNames): Port {
  const type = arg.kind === "value" ? program.graph.values.get(arg.name) : undefined;
  if (type?.kind === "tensor") {
    const dims = type.dims.map((dim: Dim) => names.dim(dim));
    const part = componentDtype(type.dtype);
    if (part !== undefined) return { name, dtype: part, dims: [...dims, 2] };
    // It enters and leaves as float32, with the values that it has in PyTorch.
    return type.dtype === "bfloat16"
      ? { name, dtype: carrier(type.dtype), declared: type.dtype, dims }
      : { name, dtype: type.dtype, dims };
  }
  const kind = type?.kind ?? arg.kind;
  return { name, dtype: kind === "float" ? "float64" : kind === "bool" ? "bool" : "int64", dims: [] };
}

function valueInfo({ dtype, dims }: Port, name: string): ValueInfo {
  return { name, dtype, dims: dims.map((dim) => (typeof dim === "number" ? dim : dim.symbol)) };
}
