import type { ZipArchive } from "../archive/zip.ts";
import { type PickleArchive, readPickleMember, rootFolder } from "../checkpoint/pickle-archive.ts";
import { ModelFileError } from "../errors.ts";
import { valuesOf } from "../graph/dead-code.ts";
import type { Program, SymbolRange, TensorType } from "../graph/ir.ts";
import { product, type SymSymbol, symbolsOf } from "../graph/sym.ts";
import { CodeLibrary } from "./code-library.ts";
import { GraphRecorder } from "./graph-recorder.ts";
import { Interpreter } from "./interpreter.ts";
import { ObjectGraph } from "./object-graph.ts";
import { isUnknown, OpCaller } from "./op-caller.ts";
import { outputsOf } from "./outputs.ts";
import {
  checkInputs,
  givenInputs,
  type InputTypes,
  type ScriptInput,
  tracedInputs,
} from "./script-inputs.ts";
import { SizeFacts } from "./size-facts.ts";
import type { ClassDef, FunctionDef, FunctionParam } from "./source-ast.ts";
import { UnsupportedLog } from "./unsupported-log.ts";
import { ADVICE, UnprovenSize, UnsupportedOp } from "./unsupported-op.ts";
import { NONE_VALUE, type Value } from "./value.ts";

export interface TorchScriptOptions {
  /**
   * The types of `forward`'s arguments by name; what is not there has its default. Without it: the example inputs that tracing stored in
   * the archive. Scripting stores none.
   */
  readonly inputs?: ReadonlyMap<string, ScriptInput>;
}

/** A program, and how to read it again with fewer sizes that the caller chooses. */
export interface ScriptProgram {
  readonly program: Program;
  /**
   * The program with the example's sizes wherever these ops (such as "aten.sort.default") meet a size of the caller's: they have a
   * translation for known sizes alone. Undefined when no such size is left.
   */
  narrowed(ops: readonly string[]): ScriptProgram | undefined;
}

/**
 * Reads a TorchScript archive into a Program: the calls of `forward` inlined, conditions over constants folded, every op with the
 * overload and the result type that its arguments give it. Every size of a traced program's inputs that the program carries through by
 * itself is the caller's to choose; the others are those of the example, and a warning says why. What cannot be read is in
 * `unsupported`, by op. Throws ModelFileError.
 */
export function readTorchScript(zip: ZipArchive, options: TorchScriptOptions = {}): ScriptProgram {
  const folder = rootFolder(zip, "data.pkl") ?? "";
  const library = new CodeLibrary(zip, folder);
  const data = readPickleMember(zip, { folder, member: "data" });
  const script: Script = {
    library,
    data,
    forward: forwardOf(data, library),
    constants: readPickleMember(zip, { folder, member: "constants" }),
    version: readVersion(zip, folder),
  };
  const params = script.forward.params.slice(1);
  if (options.inputs !== undefined)
    return readWith(script, SizeFacts.ofStated(givenInputs(options.inputs, params)));
  const example = tracedInputs(zip, folder, params);
  const batched = readWith(script, SizeFacts.ofExample(example, { isBatch: true }));
  if (isFreeBatch(batched.program)) return batched;
  // Sizes that only happen to be the same in the example.
  const apart = readWith(script, SizeFacts.ofExample(example, { isBatch: false }));
  return apart.program.ranges.size > batched.program.ranges.size ? apart : batched;
}

/** Whether the first size of some input is the caller's. */
function isFreeBatch({ inputs, graph }: Program): boolean {
  return inputs.some(({ value }) => {
    const type = graph.values.get(value);
    return type?.kind === "tensor" && type.dims.length > 0 && typeof type.dims[0] !== "number";
  });
}

/** Readings of one program with ever fewer free sizes; more would be a mistake of ours. */
const MAX_READINGS = 300;

function readWith(script: Script, first: SizeFacts): ScriptProgram {
  let facts = first;
  for (let count = 0; count < MAX_READINGS; count += 1) {
    try {
      return withWarnings(script, facts, readOnce(script, facts, explainProvable));
    } catch (error) {
      if (!(error instanceof UnprovenSize)) throw error;
      const next = facts.learn(error.need, error.message);
      if (next === undefined) break;
      facts = next;
    }
  }
  return withWarnings(script, facts, readOnce(script, facts, explainUnproven));
}

function withWarnings(script: Script, facts: SizeFacts, program: Program): ScriptProgram {
  return {
    program: { ...program, warnings: [...program.warnings, ...facts.warnings()] },
    narrowed: (ops) => {
      const names = sizesAt(program, new Set(ops));
      const next = facts.pinned(names, `${ops.join(", ")} needs known sizes`);
      return next === undefined ? undefined : readWith(script, next);
    },
  };
}

/** The symbols in the sizes of what these ops take and give. */
function sizesAt({ graph }: Program, ops: ReadonlySet<string>): Set<string> {
  const names = new Set<string>();
  for (const { target, args, outputs } of graph.nodes) {
    if (!ops.has(target)) continue;
    for (const name of [...[...args.values()].flatMap(valuesOf), ...outputs]) {
      const type = name === undefined ? undefined : graph.values.get(name);
      if (type === undefined) continue;
      for (const dim of type.kind === "tensor" ? type.dims : [type.expr]) symbolsOf(dim, names);
    }
  }
  return names;
}

/** Other sizes may prove it: the reading starts again. */
function explainProvable(error: UnsupportedOp | UnprovenSize): string {
  if (error instanceof UnprovenSize) throw error;
  return error.message;
}

/** No other sizes can prove it: they depend on the data, or a user states them. */
function explainUnproven(error: UnsupportedOp | UnprovenSize): string {
  const advice = "state that size as a number, or export the model with torch.export";
  return error instanceof UnprovenSize ? `${error.message}: ${advice}` : error.message;
}

interface Script {
  readonly library: CodeLibrary;
  readonly data: PickleArchive;
  readonly forward: FunctionDef;
  readonly constants: PickleArchive;
  readonly version: number;
}

/** The module's `forward`. */
function forwardOf(data: PickleArchive, library: CodeLibrary): FunctionDef {
  const path = new ObjectGraph(data, new GraphRecorder()).root()?.path ?? "";
  const definition = library.classDef(path);
  const forward = definition?.methods.get("forward");
  if (forward === undefined) {
    throw new ModelFileError("unsupported", "the TorchScript archive has no module with a 'forward' method");
  }
  return forward;
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

type Explain = (error: UnsupportedOp | UnprovenSize) => string;

function readOnce(script: Script, facts: SizeFacts, explain: Explain): Program {
  const { inputs } = facts;
  const recorder = new GraphRecorder();
  const unsupported = new UnsupportedLog();
  const objects = new ObjectGraph(script.data, recorder);
  const interpreter = new Interpreter({
    library: script.library,
    objects,
    constants: script.constants.root,
    constantObjects: new ObjectGraph(script.constants, recorder),
    ops: new OpCaller(recorder, script.version),
    unsupported,
  });
  const module = objects.root()!;
  reportHooks(script.library.classDef(module.path), unsupported);
  const fed = feed(script.forward.params.slice(1), inputs, recorder);
  let result: Value = NONE_VALUE;
  try {
    result = interpreter.method(module, "forward", [], fed.args);
  } catch (error) {
    if (!(error instanceof UnsupportedOp || error instanceof UnprovenSize)) throw error;
    unsupported.add("control flow", `${explain(error)} (${error.place ?? "code"})`);
  }
  const outputs = outputsOf(
    result,
    recorder,
    fed.names.map(({ name }) => name),
  );
  if (isUnknown(result) && unsupported.list().length === 0)
    unsupported.add("control flow", "a part of the result has no value");
  return {
    detail: `TorchScript archive, version ${script.version}`,
    graph: {
      inputs: [...recorder.weights.keys(), ...fed.names.map(({ value }) => value)],
      outputs: outputs.map(({ arg }) => arg),
      nodes: recorder.nodes,
      values: recorder.values,
    },
    weights: recorder.weights,
    inputs: fed.names,
    outputs,
    ranges: new Map([...facts.symbols()].map(([name, { range }]) => [name, rangeOf(range)])),
    warnings: [],
    unsupported: unsupported.list(),
  };
}

interface Fed {
  readonly args: ReadonlyMap<string, Value>;
  readonly names: readonly { readonly name: string; readonly value: string }[];
}

/** The arguments by name; those that are not stated keep their defaults. */
function feed(params: readonly FunctionParam[], inputs: InputTypes, recorder: GraphRecorder): Fed {
  checkInputs(params, inputs);
  const args = new Map<string, Value>();
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

/** The operator version: `version`, or `.data/version` since 2.1; a number of a few digits. */
function readVersion(zip: ZipArchive, folder: string): number {
  const name = [".data/version", "version"]
    .map((file) => folder + file)
    .find((file) => zip.entries.has(file));
  const isShort = name !== undefined && zip.entries.get(name)!.byteLength <= 16;
  const version = isShort ? Number.parseInt(new TextDecoder().decode(zip.read(name)), 10) : Number.NaN;
  if (!Number.isInteger(version))
    throw new ModelFileError("corrupt", "the TorchScript archive has no version");
  if (version > NEWEST_VERSION) {
    throw new ModelFileError(
      "unsupported",
      `the TorchScript archive has version ${version}; ${NEWEST_VERSION} is the newest known`,
    );
  }
  return version;
}

/** caffe2/serialize/versions.h: kMaxSupportedFileFormatVersion. */
const NEWEST_VERSION = 10;
