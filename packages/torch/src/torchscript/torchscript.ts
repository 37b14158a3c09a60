import type { ZipArchive } from "../archive/zip.ts";
import { type PickleArchive, readPickleMember, rootFolder } from "../checkpoint/pickle-archive.ts";
import { entryOf, itemsOf, type PickleValue } from "../checkpoint/pickle-value.ts";
import type { DType } from "../dtype.ts";
import { ModelFileError } from "../errors.ts";
import type { Program, TensorType } from "../graph/ir.ts";
import { type Dim, symbol } from "../graph/sym.ts";
import { CodeLibrary } from "./code-library.ts";
import { GraphRecorder } from "./graph-recorder.ts";
import { Interpreter } from "./interpreter.ts";
import { ObjectGraph, untagged } from "./object-graph.ts";
import { OpCaller } from "./op-caller.ts";
import { outputsOf } from "./outputs.ts";
import { ReadRefusals } from "./refusal-log.ts";
import { RefusedOp, UnprovenSize } from "./refused-op.ts";
import { tensorType } from "./shapes/shape-args.ts";
import type { Param } from "./source-ast.ts";
import { NONE_VALUE, type Value } from "./value.ts";

/** An input of the program, where its own example inputs say too little. A text stands for a size that the caller chooses. */
export interface ScriptInput {
  readonly dtype: DType;
  readonly dims: readonly (number | string)[];
}

export interface TorchScriptOptions {
  /** The types of `forward`'s arguments, in order. Default: the example inputs that tracing stored in the archive. */
  readonly inputs?: readonly ScriptInput[];
}

/** Whether a zip is a TorchScript archive: it has a program, and the constants that only such archives have. */
export function isTorchScript(zip: ZipArchive): boolean {
  return rootFolder(zip, "data.pkl") !== undefined && rootFolder(zip, "constants.pkl") !== undefined;
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
  const script: Script = {
    library: new CodeLibrary(zip, folder),
    data: readPickleMember(zip, { folder, member: "data" }),
    constants: readPickleMember(zip, { folder, member: "constants" }),
    version: readVersion(zip, folder),
  };
  if (options.inputs !== undefined) return readFixed(script, options.inputs.map(givenType));
  const traced = tracedInputs(zip, folder);
  const symbolic = withBatch(traced);
  if (symbolic === undefined) return readFixed(script, traced);
  const attempt = attemptBatch(script, symbolic);
  if (attempt.program !== undefined && (attempt.program.refused ?? []).length === 0) return attempt.program;
  const fixed = readFixed(script, traced);
  // A program that is refused either way keeps the signature that says more.
  if (attempt.program !== undefined && (fixed.refused ?? []).length > 0) return attempt.program;
  const why = attempt.program === undefined ? attempt.reason : "its sizes follow from that size";
  const warning = `the batch size is fixed at the traced one: ${why}. Export with torch.export and a dynamic batch to change it`;
  return { ...fixed, warnings: [...fixed.warnings, warning] };
}

/** Reads with sizes that nothing else can stand for. */
function readFixed(script: Script, inputs: readonly InputType[]): Program {
  try {
    return read(script, inputs);
  } catch (error) {
    if (!(error instanceof UnprovenSize)) throw error;
    const message = `the TorchScript program needs its inputs' sizes as numbers: ${error.message}`;
    throw new ModelFileError("unsupported", message, { cause: error });
  }
}

interface Script {
  readonly library: CodeLibrary;
  readonly data: PickleArchive;
  readonly constants: PickleArchive;
  readonly version: number;
}

function attemptBatch(script: Script, inputs: readonly InputType[]): { program?: Program; reason: string } {
  try {
    const program = read(script, inputs);
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

/** Undefined stands for None. */
type InputType = TensorType | undefined;

function read(script: Script, inputs: readonly InputType[]): Program {
  const recorder = new GraphRecorder();
  const refusals = new ReadRefusals();
  const objects = new ObjectGraph(script.data, recorder);
  const interpreter = new Interpreter({
    library: script.library,
    objects,
    constants: script.constants.root,
    constantObjects: new ObjectGraph(script.constants, recorder),
    ops: new OpCaller(recorder, script.version),
    refusals,
  });
  const module = objects.root();
  const forward = script.library.classDef(module?.path ?? "")?.methods.get("forward");
  if (module === undefined || forward === undefined) {
    throw new ModelFileError("unsupported", "the TorchScript archive has no module with a 'forward' method");
  }
  const fed = feed(forward.params.slice(1), inputs, recorder);
  let result: Value = NONE_VALUE;
  try {
    result = interpreter.method(module, "forward", fed.args);
  } catch (error) {
    if (!(error instanceof RefusedOp)) throw error;
    refusals.add("control flow", error.message);
  }
  const outputs = outputsOf(result, recorder);
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
    refused: refusals.list(),
  };
}

interface Fed {
  readonly args: readonly Value[];
  readonly names: readonly { readonly name: string; readonly value: string }[];
}

function feed(params: readonly Param[], inputs: readonly InputType[], recorder: GraphRecorder): Fed {
  const args: Value[] = [];
  const names: { name: string; value: string }[] = [];
  for (const [at, param] of params.entries()) {
    const type = inputs[at];
    if (at >= inputs.length && param.default === undefined) throw missingInput(param.name);
    if (at >= inputs.length) break;
    if (type === undefined) {
      args.push(NONE_VALUE);
      continue;
    }
    const input = recorder.input(param.name, type);
    args.push(input);
    names.push({ name: param.name, value: input.name! });
  }
  return { args, names };
}

function missingInput(name: string): ModelFileError {
  return new ModelFileError(
    "unsupported",
    `the TorchScript archive does not say what its input '${name}' looks like: state the inputs' types and sizes, or export the model with torch.export`,
  );
}

/** `traced_inputs.pkl`: example inputs by method, with types and sizes but without values. */
function tracedInputs(zip: ZipArchive, folder: string): InputType[] {
  if (!zip.entries.has(`${folder}traced_inputs.pkl`)) return [];
  const archive = readPickleMember(zip, { folder, member: "traced_inputs" });
  const inputs = itemsOf(untagged(entryOf(untagged(archive.root), "forward") ?? null)) ?? [];
  return inputs.map((input) => tracedInput(archive, untagged(input)));
}

function tracedInput(archive: PickleArchive, value: PickleValue): InputType {
  if (value === null) return undefined;
  const tensor = archive.tensor(value);
  if (tensor === undefined) {
    throw new ModelFileError(
      "unsupported",
      "the TorchScript archive takes inputs that are no tensors; export it with torch.export",
    );
  }
  return tensorType(tensor.dtype, tensor.shape);
}

function givenType({ dtype, dims }: ScriptInput): TensorType {
  return tensorType(
    dtype,
    dims.map((dim): Dim => (typeof dim === "number" ? dim : symbol(dim))),
  );
}

/** The inputs with their common first size made symbolic; undefined when they have none. */
function withBatch(inputs: readonly InputType[]): InputType[] | undefined {
  const firsts = new Set(
    inputs.flatMap((type) => (type === undefined || type.dims.length === 0 ? [] : [type.dims[0]])),
  );
  if (firsts.size !== 1) return undefined;
  return inputs.map((type) =>
    type === undefined || type.dims.length === 0
      ? type
      : { ...type, dims: [symbol(BATCH), ...type.dims.slice(1)] },
  );
}

function symbolNames(inputs: readonly InputType[]): Set<string> {
  const dims = inputs.flatMap((type) => type?.dims ?? []);
  return new Set(dims.flatMap((dim) => (typeof dim === "number" ? [] : [dim.key])));
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
