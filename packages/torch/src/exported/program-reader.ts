import { ModelFileError } from "../errors.ts";
import { exposeSizes } from "../graph/expose-sizes.ts";
import type { Arg, Graph, NamedArg, NamedValue, Program, Weight } from "../graph/ir.ts";
import { asInt, asList, asMap, asString, type JsonMap, union } from "./fields.ts";
import { readArg, readGraph } from "./graph-reader.ts";
import type { InputLeaf } from "./guards/input-leaves.ts";
import { readConditions } from "./guards/read-conditions.ts";
import { nameInputs } from "./input-names.ts";
import { type Json, parseJson } from "./json.ts";
import { mutatedOutputs, type WrittenInput } from "./mutated-outputs.ts";
import { leafNames } from "./pytree.ts";
import { unwrapWeights, type WrappedWeight } from "./unwrap-weights.ts";

/** Where a program's tensors come from: by kind and fully qualified name. Undefined: the archive lacks it. */
export type WeightLookup = (kind: "weight" | "constant", name: string) => Weight | WrappedWeight | undefined;

export interface ProgramParts {
  readonly lookup: WeightLookup;
  /** Whether nodes keep where in the model they come from, which takes time and memory. Default: they do not. */
  readonly keepsPlaces?: boolean;
}

const OLDEST_MAJOR = 5;
const NEWEST_MAJOR = 8;
const NEWEST_MINOR = 20;

/**
 * Reads a serialized ExportedProgram (torch._export.serde.schema, major 5 to 8) into a Program. `layout` names the archive in
 * messages. Throws ModelFileError.
 */
export function readExportedProgram(
  bytes: Uint8Array,
  layout: string,
  { lookup, keepsPlaces = false }: ProgramParts,
): Program {
  const root = asMap(parseJson(bytes, keepsPlaces ? {} : { skip: "metadata" }), "the program");
  const warnings: string[] = [];
  const version = readVersion(root, warnings);
  const module = asMap(root.get("graph_module"), "graph_module");
  const whole = readGraph(module.get("graph"));
  const signature = asMap(module.get("signature"), "signature");
  const call = rootCall(module);
  const fields = namedTupleFields(module.get("treespec_namedtuple_fields"));
  const { weights, wrapped, leaves } = readInputs(signature, whole, lookup);
  const { graph: written, weights: inner } = unwrapWeights(whole, wrapped);
  for (const [value, weight] of inner) weights.set(value, weight);
  const inputs = nameInputs(leaves, call, fields);
  const exposed = exposeSizes(
    written,
    inputs.map(({ value }) => value),
  );
  const conditions = readConditions(root, exposed, {
    inputs: inputs.map(({ value }) => value),
    call,
    warnings,
    namedTupleFields: fields,
  });
  const torchVersion = root.get("torch_version");
  const torch = typeof torchVersion === "string" ? `, torch ${torchVersion.replace(/\+.*/, "")}` : "";
  const buffers = new Map([...weights].map(([value, { name }]) => [name, value]));
  const found = readOutputs(signature, buffers, { inputs, warnings });
  const { graph, outputs } = mutatedOutputs(exposed.graph, found.args, found.written);
  return {
    detail: `${layout}, schema ${version}${torch}`,
    graph,
    weights,
    inputs,
    outputs: nameOutputs(outputs, module, { inputs, warnings }),
    ...conditions,
    warnings,
  };
}

function readVersion(root: JsonMap, warnings: string[]): string {
  const version = asMap(root.get("schema_version"), "schema_version");
  const major = asInt(version.get("major"), "schema_version.major");
  const minor = asInt(version.get("minor"), "schema_version.minor");
  if (major < OLDEST_MAJOR || major > NEWEST_MAJOR) {
    throw new ModelFileError(
      "unsupported",
      `the program has schema ${major}.${minor}; ${OLDEST_MAJOR} to ${NEWEST_MAJOR} can be read. Re-export it with a current PyTorch`,
    );
  }
  if (major === NEWEST_MAJOR && minor > NEWEST_MINOR) {
    warnings.push(`the program has schema ${major}.${minor}, newer than ${NEWEST_MAJOR}.${NEWEST_MINOR}`);
  }
  return `${major}.${minor}`;
}

function readInputs(
  signature: JsonMap,
  graph: Graph,
  lookup: WeightLookup,
): { weights: Map<string, Weight>; wrapped: Map<string, WrappedWeight>; leaves: InputLeaf[] } {
  const weights = new Map<string, Weight>();
  const wrapped = new Map<string, WrappedWeight>();
  const leaves: InputLeaf[] = [];
  for (const [i, json] of asList(signature.get("input_specs"), "input_specs").entries()) {
    const [kind, value] = union(json, "an input's description");
    const spec = asMap(value, `an input of kind ${kind}`);
    if (kind === "user_input") {
      const arg = readArg(spec.get("arg"));
      leaves.push(arg.kind === "value" ? arg.name : undefined);
    } else if (kind === "parameter" || kind === "buffer" || kind === "tensor_constant") {
      const graphName = asString(asMap(spec.get("arg"), kind).get("name"), kind);
      const weight = findWeight(kind, spec, lookup);
      if ("parts" in weight) wrapped.set(graphName, weight);
      else weights.set(graphName, weight);
    } else if (kind === "constant_input") leaves.push(undefined);
    else if (kind === "token")
      continue; // Nothing but the order of effects.
    else rejectInput(kind, graph.inputs[i]);
  }
  return { weights, wrapped, leaves };
}

function findWeight(
  kind: "parameter" | "buffer" | "tensor_constant",
  spec: JsonMap,
  lookup: WeightLookup,
): Weight | WrappedWeight {
  const name = asString(spec.get(`${kind}_name`), `${kind}_name`);
  const isConstant = kind === "tensor_constant" || spec.get("persistent") === false;
  const weight = lookup(isConstant ? "constant" : "weight", name);
  if (weight === undefined)
    throw new ModelFileError("corrupt", `the archive lacks the tensor '${name}' of the program`);
  return isConstant && !("parts" in weight) ? { ...weight, isConstant } : weight;
}

function rejectInput(kind: string, name: string | undefined): never {
  const what = kind === "custom_obj" ? "a custom (torchbind) object" : `an input of kind ${kind}`;
  throw new ModelFileError(
    "unsupported",
    `the program takes ${what}${name === undefined ? "" : ` ('${name}')`}; export a model of plain tensors`,
  );
}

interface OutputContext {
  readonly inputs: readonly NamedValue[];
  readonly warnings: string[];
}

/** What the caller gets, and what the program writes into its inputs. `buffers`: graph inputs by the names of weights. */
function readOutputs(
  signature: JsonMap,
  buffers: ReadonlyMap<string, string>,
  { inputs, warnings }: OutputContext,
): { args: Arg[]; written: WrittenInput[] } {
  const args: Arg[] = [];
  const written: WrittenInput[] = [];
  for (const json of asList(signature.get("output_specs"), "output_specs")) {
    const [kind, value] = union(json, "an output's description");
    const spec = asMap(value, `an output of kind ${kind}`);
    if (kind === "user_output") args.push(readArg(spec.get("arg")));
    else if (kind.endsWith("_mutation")) {
      const name = String(spec.get(`${kind.replace("_mutation", "")}_name`) ?? spec.get("user_input_name"));
      const shown = inputs.find(({ value }) => value === name)?.name ?? name;
      warnings.push(`the program updates '${shown}'; the update is not kept between requests`);
      const arg = asMap(spec.get("arg"), kind).get("name");
      if (typeof arg === "string") written.push({ input: buffers.get(name) ?? name, value: arg });
    } else if (kind !== "token") {
      throw new ModelFileError(
        "unsupported",
        `the program is a training graph (output of kind ${kind}); export the model in eval() mode`,
      );
    }
  }
  return { args, written };
}

/**
 * Constant outputs that are not tensors (None, strings) have no place in a response and are left out. ONNX has one space of names: an
 * output called as an input is gets an underscore.
 */
function nameOutputs(args: readonly Arg[], module: JsonMap, { inputs, warnings }: OutputContext): NamedArg[] {
  const names = outputNames(module, args.length, warnings);
  const used = new Set(inputs.map(({ name }) => name));
  const named: NamedArg[] = [];
  for (const [i, arg] of args.entries()) {
    if (arg.kind === "none" || arg.kind === "string") continue;
    // A dict may have an item called "", which ONNX takes for an output that is left out.
    let name = names[i]! === "" ? `output_${i}` : names[i]!;
    while (used.has(name)) name += "_";
    used.add(name);
    named.push({ name, arg });
  }
  return named;
}

function outputNames(module: JsonMap, count: number, warnings: string[]): string[] {
  const signature = rootCall(module);
  if (typeof signature?.get("out_spec") === "string") {
    const spec = signature.get("out_spec") as string;
    const names = leafNames(spec, "output", namedTupleFields(module.get("treespec_namedtuple_fields")));
    if (names.length === count) return names;
  }
  warnings.push("the program does not name its outputs; they are numbered");
  return count === 1 ? ["output"] : Array.from({ length: count }, (_, i) => `output_${i}`);
}

/** How the program as a whole is called. */
function rootCall(module: JsonMap): JsonMap | undefined {
  const calls = asList(module.get("module_call_graph"), "module_call_graph");
  const root = calls.map((call) => asMap(call, "a module call")).find((call) => call.get("fqn") === "");
  const signature = root?.get("signature");
  return signature instanceof Map ? signature : undefined;
}

function namedTupleFields(json: Json | undefined): Map<string, readonly string[]> {
  const fields = new Map<string, readonly string[]>();
  if (json === undefined || json === null) return fields;
  for (const [type, def] of asMap(json, "treespec_namedtuple_fields")) {
    const names = asList(asMap(def, type).get("field_names"), type);
    fields.set(
      type,
      names.map((name) => asString(name, type)),
    );
  }
  return fields;
}
