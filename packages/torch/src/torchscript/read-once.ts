import type { PickleArchive } from "../checkpoint/pickle-archive.ts";
import type { NamedArg, Program, SymbolRange, TensorType } from "../graph/ir.ts";
import { product, type SymSymbol } from "../graph/sym.ts";
import type { CodeLibrary } from "./code-library.ts";
import { GraphRecorder } from "./graph-recorder.ts";
import { Interpreter } from "./interpreter.ts";
import { ModuleState, type StateNumbers, stateProblem } from "./module-state.ts";
import { ObjectGraph } from "./object-graph.ts";
import { isUnknown, OpCaller } from "./op-caller.ts";
import { outputsOf } from "./outputs.ts";
import { checkInputs, type InputTypes, type StatedInputs } from "./script-inputs.ts";
import type { SizeFacts } from "./size-facts.ts";
import type { ClassDef, FunctionDef, FunctionParam } from "./source-ast.ts";
import { UnsupportedLog } from "./unsupported-log.ts";
import { ADVICE, UnprovenSize, UnsupportedOp, unsupportedOp } from "./unsupported-op.ts";
import { isGrown, NONE_VALUE, type NumberValue, type Value } from "./value.ts";

/** An archive, opened. */
export interface Script {
  readonly library: CodeLibrary;
  readonly data: PickleArchive;
  readonly forward: FunctionDef;
  readonly constants: PickleArchive;
  readonly version: number;
  /** Whether nodes keep where they come from. */
  readonly keepsPlaces: boolean;
}

/** Hooks of the module itself run around its `forward`, where a caller calls the module. */
function reportHooks(module: ClassDef | undefined, unsupported: UnsupportedLog): void {
  for (const name of ["__forward_hooks__", "__forward_pre_hooks__"]) {
    const list = module?.fields.get(name)?.value;
    if (list?.kind !== "list" || list.items.length === 0) continue;
    unsupported.add(
      "hooks",
      `the module has forward hooks: call them in 'forward' and script it again, or ${ADVICE}`,
    );
  }
}

/** What to say of a program that cannot be followed to its end; or throws, so that it is read in another way. */
export type Explain = (error: UnsupportedOp | UnprovenSize) => string;

/** What is known of a program's inputs before it is read. */
export interface Known {
  readonly facts: SizeFacts;
  readonly constants: ReadonlyMap<string, NumberValue>;
  /** What attributes hold after every call. */
  readonly numbers: StateNumbers;
}

export interface OneReading {
  readonly program: Program;
  /** Numbers that the call leaves in attributes that it had read before. */
  readonly left: StateNumbers;
}

/** Reads a program with what is known of its inputs. */
export function readOnce(script: Script, known: Known, explain: Explain): OneReading {
  const { inputs: types } = known.facts;
  const recorder = new GraphRecorder();
  const unsupported = new UnsupportedLog();
  const objects = new ObjectGraph(script.data, recorder);
  const state = new ModuleState(objects);
  const interpreter = new Interpreter({
    library: script.library,
    objects,
    constants: script.constants.root,
    constantObjects: new ObjectGraph(script.constants, recorder),
    ops: new OpCaller(recorder, script.version),
    state,
    unsupported,
    areSizesStated: known.facts.areStated,
  });
  if (script.keepsPlaces) recorder.placeNow = () => interpreter.place;
  const module = objects.root()!;
  reportHooks(script.library.classDef(module.path), unsupported);
  const params = script.forward.params.slice(1);
  const fed = feed(params, { types, constants: known.constants }, recorder);
  const own = new Map([...types].filter(([name]) => !params.some((param) => param.name === name)));
  const states = state.begin(module, { tensors: own, numbers: known.numbers }, recorder);
  let result: Value = NONE_VALUE;
  try {
    const answer = interpreter.method(module, "forward", [], fed.args);
    if (holdsGrown(answer)) unsupportedOp(GROWN_RESULT);
    result = answer;
  } catch (error) {
    if (!(error instanceof UnsupportedOp || error instanceof UnprovenSize)) throw error;
    const follows = error instanceof UnsupportedOp && error.isFollower && unsupported.list().length > 0;
    const reason = explain(error);
    if (!follows) unsupported.add("control flow", `${reason} (${error.place ?? "code"})`);
  }
  const names = [...fed.names, ...states];
  const taken = names.map(({ name }) => name);
  const outputs = [
    ...outputsOf(result, recorder, taken),
    ...stateOutputs({ state, types, unsupported }, recorder),
  ];
  if (isUnknown(result) && unsupported.list().length === 0) unsupported.add("control flow", NO_RESULT);
  const program: Program = {
    detail: `TorchScript archive, version ${script.version}`,
    graph: {
      inputs: [...recorder.weights.keys(), ...names.map(({ value }) => value)],
      outputs: outputs.map(({ arg }) => arg),
      nodes: recorder.nodes,
      values: recorder.values,
    },
    weights: recorder.weights,
    inputs: names,
    outputs,
    ranges: new Map([...known.facts.symbols()].map(([name, { range }]) => [name, rangeOf(range)])),
    ...(states.length > 0 && { state: states.map(({ name }) => ({ input: name, output: `new_${name}` })) }),
    warnings: [],
    unsupported: unsupported.list(),
  };
  return { program, left: state.left };
}

interface StateEnd {
  readonly state: ModuleState;
  readonly types: InputTypes;
  readonly unsupported: UnsupportedLog;
}

/** The state after the call, as outputs for the next one. */
function stateOutputs({ state, types, unsupported }: StateEnd, recorder: GraphRecorder): NamedArg[] {
  for (const name of state.unsteady())
    unsupported.add("state", `the attribute '${name}' is another number in every call`);
  return [...state.end()].map(([name, value]) => {
    const problem = stateProblem(name, types.get(name)!, value);
    if (problem !== undefined) unsupported.add("state", problem);
    return { name: `new_${name}`, arg: recorder.arg(value, "Tensor") };
  });
}

interface Fed {
  readonly args: ReadonlyMap<string, Value>;
  readonly names: readonly { readonly name: string; readonly value: string }[];
}

/** The arguments by name; those that are not stated keep their defaults. */
function feed(params: readonly FunctionParam[], stated: StatedInputs, recorder: GraphRecorder): Fed {
  checkInputs(params, stated);
  const { types: inputs, constants } = stated;
  const args = new Map<string, Value>(constants);
  const names: { name: string; value: string }[] = [];
  for (const { name } of params) {
    if (!inputs.has(name)) continue;
    const type = inputs.get(name);
    const input = type === undefined ? undefined : recorder.input(name, rowMajor(type));
    args.set(name, input ?? NONE_VALUE);
    if (input !== undefined) names.push({ name, value: input.name! });
  }
  return { args, names };
}

/** As callers send tensors. */
function rowMajor(type: TensorType): TensorType {
  const strides = type.dims.map((_, axis) => product(type.dims.slice(axis + 1)));
  return { ...type, strides, offset: 0 };
}

function rangeOf(range: SymSymbol["range"]): SymbolRange {
  const max = range?.max ?? Number.POSITIVE_INFINITY;
  return { min: range?.min ?? 1, max: Number.isFinite(max) ? max : undefined };
}

const NO_RESULT =
  "it returns what no way through it gives a value; give a variable the result before the loop, and return it behind";

const GROWN_RESULT =
  "it returns a list that the data lengthen, and an answer has a fixed number of tensors: join them with torch.stack or torch.cat, and return that";

function holdsGrown(value: Value): boolean {
  if (value.kind === "dict") return [...value.entries.values()].some(holdsGrown);
  if (value.kind !== "list" && value.kind !== "tuple") return false;
  return isGrown(value) || value.items.some(holdsGrown);
}
