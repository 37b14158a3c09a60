import type { ZipArchive } from "../archive/zip.ts";
import { type PickleArchive, readPickleMember, rootFolder } from "../checkpoint/pickle-archive.ts";
import { ModelFileError } from "../errors.ts";
import type { Program, TensorType } from "../graph/ir.ts";
import { symbol, symbolsOf } from "../graph/sym.ts";
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

/** The name of the size that example inputs share as their first dimension. */
const BATCH = "batch";

/**
 * Reads a TorchScript archive into a Program: the calls of `forward` inlined, conditions over constants folded, every op with the
 * overload and the result type that its arguments give it. The first dimension becomes symbolic when the program provably does not
 * depend on its traced size. What cannot be read is in `refused`, by op. Throws ModelFileError.
 */
export function readTorchScript(zip: ZipArchive, options: TorchScriptOptions = {}): Program {
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
  if (options.inputs !== undefined) return read(script, givenInputs(options.inputs, params));
  const traced = tracedInputs(zip, folder, params);
  const symbolic = withBatch(traced);
  if (symbolic === undefined) return read(script, traced);
  const attempt = attemptBatch(script, symbolic);
  if (attempt.program !== undefined && (attempt.program.unsupported ?? []).length === 0)
    return attempt.program;
  const fixed = read(script, traced);
  // A program that is refused either way keeps the signature that says more.
  if (attempt.program !== undefined && (fixed.unsupported ?? []).length > 0) return attempt.program;
  const why = attempt.program === undefined ? attempt.reason : "its sizes follow from that size";
  const warning = `the batch size is fixed at the traced one: ${why}. Export with torch.export and a dynamic batch to change it`;
  return { ...fixed, warnings: [...fixed.warnings, warning] };
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

function attemptBatch(script: Script, inputs: InputTypes): { program?: Program; reason: string } {
  try {
    const program = readProvable(script, inputs);
    const isBatched = program.outputs.every(({ arg }) => {
      const type = arg.kind === "value" ? program.graph.values.get(arg.name) : undefined;
      const first = type?.kind === "tensor" ? type.dims[0] : undefined;
      return first !== undefined && typeof first !== "number" && first.key === BATCH;
    });
    return isBatched ? { program, reason: "" } : { reason: "an output does not have it as its first size" };
  } catch (error) {
    if (error instanceof UnprovenSize) return { reason: error.message };
    throw error;
  }
}

/** Reads with sizes that nothing else can stand for: what cannot be shown for all of them is refused. */
function read(script: Script, inputs: InputTypes): Program {
  return readWith(script, inputs, (error) => {
    const advice = "state that size as a number, or export the model with torch.export";
    return error instanceof UnprovenSize ? `${error.message}: ${advice}` : error.message;
  });
}

/** Throws UnprovenSize. */
function readProvable(script: Script, inputs: InputTypes): Program {
  return readWith(script, inputs, (error) => {
    if (error instanceof UnprovenSize) throw error;
    return error.message;
  });
}

type Explain = (error: UnsupportedOp | UnprovenSize) => string;

function readWith(script: Script, inputs: InputTypes, explain: Explain): Program {
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
    ranges: new Map([...symbolNames(inputs)].map((name) => [name, { min: 1, max: undefined }])),
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
    const input = type === undefined ? undefined : recorder.input(name, type);
    args.set(name, input ?? NONE_VALUE);
    if (input !== undefined) names.push({ name, value: input.name! });
  }
  return { args, names };
}

/** The inputs with their common first size made symbolic; undefined when they have none. */
function withBatch(inputs: InputTypes): InputTypes | undefined {
  const isBatched = (type: TensorType | undefined): type is TensorType => (type?.dims.length ?? 0) > 0;
  const firsts = new Set([...inputs.values()].filter(isBatched).map(({ dims }) => dims[0]));
  if (firsts.size !== 1) return undefined;
  const batched = (type: TensorType | undefined): TensorType | undefined =>
    isBatched(type) ? { ...type, dims: [symbol(BATCH), ...type.dims.slice(1)] } : type;
  return new Map([...inputs].map(([name, type]) => [name, batched(type)]));
}

function symbolNames(inputs: InputTypes): Set<string> {
  const dims = [...inputs.values()].flatMap((type) => type?.dims ?? []);
  return new Set(dims.flatMap((dim) => (typeof dim === "number" ? [] : [...symbolsOf(dim)])));
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
