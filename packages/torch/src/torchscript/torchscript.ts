import type { ZipArchive } from "../archive/zip.ts";
import { type PickleArchive, readPickleMember, rootFolder } from "../checkpoint/pickle-archive.ts";
import { ModelFileError } from "../errors.ts";
import { valuesOf } from "../graph/dead-code.ts";
import type { Program } from "../graph/ir.ts";
import { symbolsOf } from "../graph/sym.ts";
import { CodeLibrary } from "./code-library.ts";
import { GraphRecorder } from "./graph-recorder.ts";
import { ModuleState } from "./module-state.ts";
import { ObjectGraph } from "./object-graph.ts";
import { type Known, readOnce, type Script } from "./read-once.ts";
import { givenInputs, type ScriptInput, tracedInputs } from "./script-inputs.ts";
import { SizeFacts } from "./size-facts.ts";
import type { FunctionDef } from "./source-ast.ts";
import { UnprovenSize, type UnsupportedOp } from "./unsupported-op.ts";

export interface TorchScriptOptions {
  /**
   * The types of `forward`'s arguments by name; what is not there has its default. Without it: the example inputs that tracing stored in
   * the archive. Scripting stores none.
   */
  readonly inputs?: ReadonlyMap<string, ScriptInput>;
  /** Whether nodes keep where in the model they come from. Default: they do not. */
  readonly keepsPlaces?: boolean;
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
    keepsPlaces: options.keepsPlaces === true,
  };
  const params = script.forward.params.slice(1);
  if (options.inputs !== undefined) {
    const { types, constants } = givenInputs(options.inputs, params, (name) => hasAttribute(data, name));
    return readWith(script, { facts: SizeFacts.ofStated(types), constants, numbers: new Map() });
  }
  const example = tracedInputs(zip, folder, params);
  const read = (isBatch: boolean): ScriptProgram => {
    const facts = SizeFacts.ofExample(example, { isBatch });
    return readWith(script, { facts, constants: new Map(), numbers: new Map() });
  };
  const batched = read(true);
  if (isFreeBatch(batched.program)) return batched;
  // Sizes that only happen to be the same in the example.
  const apart = read(false);
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

function readWith(script: Script, first: Known): ScriptProgram {
  let known = first;
  for (let count = 0; count < MAX_READINGS; count += 1) {
    try {
      const { program, left } = readOnce(script, known, explainProvable);
      if (left.size === 0) return withWarnings(script, known, program);
      // The program is the one of every call but the first.
      known = { ...known, numbers: new Map([...known.numbers, ...left]) };
    } catch (error) {
      if (!(error instanceof UnprovenSize)) throw error;
      const facts = known.facts.learn(error.need, error.message);
      if (facts === undefined) break;
      known = { ...known, facts };
    }
  }
  return withWarnings(script, known, readOnce(script, known, explainUnproven).program);
}

function withWarnings(script: Script, known: Known, program: Program): ScriptProgram {
  return {
    program: { ...program, warnings: [...program.warnings, ...known.facts.warnings()] },
    narrowed: (ops) => {
      const names = sizesAt(program, new Set(ops));
      const facts = known.facts.pinned(names, `${ops.join(", ")} needs known sizes`);
      return facts === undefined ? undefined : readWith(script, { ...known, facts });
    },
  };
}

/** Whether the module, or one inside it, has an attribute of this dotted name. */
function hasAttribute(data: PickleArchive, name: string): boolean {
  const objects = new ObjectGraph(data, new GraphRecorder());
  const root = objects.root();
  return root !== undefined && new ModuleState(objects).has(root, name);
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
