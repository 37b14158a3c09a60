import { schemaOf } from "../aten/schemas.ts";
import { ModelFileError } from "../errors.ts";
import {
  type Arg,
  type Graph,
  NONE,
  type Node,
  type ScalarValueType,
  type TensorType,
  type ValueType,
} from "../graph/ir.ts";
import type { Dim } from "../graph/sym.ts";
import { readScalarType, STRIDED_LAYOUT } from "./enums.ts";
import { asBool, asFloat, asInt, asInt64, asList, asMap, asString, type JsonMap, union } from "./fields.ts";
import type { Json } from "./json.ts";
import { placeOf } from "./node-place.ts";
import { parseSrepr } from "./srepr.ts";

const MAX_GRAPH_DEPTH = 16;

/** Reads a serialized `Graph` (schema major 5 to 8). Throws ModelFileError. */
export function readGraph(json: Json | undefined, depth = 0): Graph {
  if (depth > MAX_GRAPH_DEPTH)
    throw new ModelFileError("limit", `graphs nest deeper than ${MAX_GRAPH_DEPTH}`);
  const graph = asMap(json, "graph");
  const values = new Map<string, ValueType>();
  for (const [name, meta] of asMap(graph.get("tensor_values"), "tensor_values")) {
    values.set(name, readTensorMeta(meta, name));
  }
  for (const kind of ["int", "float", "bool"] as const) {
    const scalars = graph.get(`sym_${kind}_values`);
    if (scalars === undefined) continue;
    for (const [name, value] of asMap(scalars, `sym_${kind}_values`))
      values.set(name, readScalar(value, kind, name));
  }
  return {
    inputs: asList(graph.get("inputs"), "graph inputs").map((input, i) =>
      inputName(readArg(input, depth), i),
    ),
    outputs: asList(graph.get("outputs"), "graph outputs").map((output) => readArg(output, depth)),
    nodes: asList(graph.get("nodes"), "nodes").map((node) => readNode(asMap(node, "node"), depth)),
    values,
  };
}

/** Constants among the graph inputs get a name that nothing refers to, so that positions stay right. */
function inputName(arg: Arg, index: number): string {
  return arg.kind === "value" ? arg.name : `constant_input_${index}`;
}

function readTensorMeta(json: Json, name: string): TensorType {
  const meta = asMap(json, `the description of ${name}`);
  const layout = meta.get("layout");
  if (layout !== undefined && layout !== STRIDED_LAYOUT && layout !== 0) {
    throw new ModelFileError(
      "unsupported",
      `the tensor ${name} is not dense (layout ${String(layout)}); re-export with dense tensors`,
    );
  }
  const dims = (key: string): Dim[] =>
    asList(meta.get(key), `${key} of ${name}`).map((d) => readSymbolic(d, name));
  return {
    kind: "tensor",
    dtype: readScalarType(meta.get("dtype"), `the tensor ${name}`),
    dims: dims("sizes"),
    strides: meta.has("strides") ? dims("strides") : undefined,
    ...(meta.has("storage_offset") ? { offset: readSymbolic(meta.get("storage_offset")!, name) } : {}),
  };
}

function readScalar(json: Json, kind: ScalarValueType["kind"], name: string): ScalarValueType {
  return { kind, expr: readSymbolic(json, name) };
}

/** A SymInt, SymFloat or SymBool: a constant or `{as_expr: {expr_str}}`. */
function readSymbolic(json: Json, name: string): Dim {
  const [kind, value] = union(json, `a size of ${name}`);
  if (kind === "as_int") return asInt(value, `a size of ${name}`);
  if (kind === "as_float") return asFloat(value, `the value of ${name}`);
  if (kind === "as_bool") return Number(asBool(value, `the value of ${name}`));
  return parseSrepr(asString(asMap(value, `a size of ${name}`).get("expr_str"), `a size of ${name}`));
}

function readNode(json: JsonMap, depth: number): Node {
  const target = asString(json.get("target"), "a node's target").replace(/^torch\.ops\./, "");
  const args = new Map<string, Arg>();
  for (const [i, input] of asList(json.get("inputs"), `inputs of ${target}`).entries()) {
    const named = asMap(input, `an input of ${target}`);
    const name = asString(named.get("name"), `an input's name of ${target}`);
    args.set(name === "" ? String(i) : name, readArg(named.get("arg"), depth));
  }
  const schema = schemaOf(target);
  for (const param of schema?.params ?? []) {
    if (!args.has(param.name) && param.default !== undefined) args.set(param.name, param.default);
  }
  const outputs = asList(json.get("outputs"), `outputs of ${target}`).flatMap((output) =>
    outputNames(readArg(output, depth)),
  );
  const place = placeOf(json.get("metadata"));
  return place === undefined ? { target, args, outputs } : { target, args, outputs, place };
}

function outputNames(arg: Arg): (string | undefined)[] {
  if (arg.kind === "value") return [arg.name];
  return arg.kind === "list" ? arg.items.flatMap(outputNames) : [undefined];
}

/** Reads an `Argument` union. Throws ModelFileError("unsupported") for a kind that this version of the schema does not have. */
export function readArg(json: Json | undefined, depth = 0): Arg {
  const [kind, value] = union(json, "an argument");
  const list = (read: (item: Json) => Arg): Arg => ({ kind: "list", items: asList(value, kind).map(read) });
  switch (kind) {
    case "as_none":
      return NONE;
    case "as_tensor":
    case "as_custom_obj":
      return reference(value);
    case "as_tensors":
      return list(reference);
    case "as_optional_tensor":
      return readArg(value, depth);
    case "as_optional_tensors":
      return list((item) => readArg(item, depth));
    case "as_nested_tensors":
      return list((item) => ({ kind: "list", items: asList(item, kind).map(reference) }));
    case "as_sym_int":
    case "as_sym_float":
    case "as_sym_bool":
      return symbolicArg(value);
    case "as_sym_ints":
    case "as_sym_floats":
    case "as_sym_bools":
      return list(symbolicArg);
    case "as_graph":
      return { kind: "graph", graph: readGraph(asMap(value, kind).get("graph"), depth + 1) };
    default:
      return readConstant(kind, value);
  }
}

function readConstant(kind: string, value: Json): Arg {
  const list = (read: (item: Json) => Arg): Arg => ({ kind: "list", items: asList(value, kind).map(read) });
  switch (kind) {
    case "as_int":
      return int(value);
    case "as_ints":
      return list(int);
    case "as_int_lists":
      return list((item) => ({ kind: "list", items: asList(item, kind).map(int) }));
    case "as_float":
      return floating(value);
    case "as_floats":
      return list(floating);
    case "as_float_lists":
      return list((item) => ({ kind: "list", items: asList(item, kind).map(floating) }));
    case "as_bool":
      return bool(value);
    case "as_bools":
      return list(bool);
    case "as_string":
      return text(value);
    case "as_strings":
      return list(text);
    default:
      return readSpecial(kind, value);
  }
}

function readSpecial(kind: string, value: Json): Arg {
  switch (kind) {
    case "as_scalar_type":
      return { kind: "dtype", value: readScalarType(value, "an argument") };
    case "as_memory_format":
      return { kind: "hint", value: `memory_format ${asInt(value, kind)}` };
    case "as_layout":
      return { kind: "hint", value: `layout ${asInt(value, kind)}` };
    case "as_device":
      return { kind: "hint", value: `device ${asString(asMap(value, kind).get("type"), kind)}` };
    case "as_complex": {
      const parts = asMap(value, kind);
      return {
        kind: "complex",
        real: asFloat(parts.get("real"), kind),
        imaginary: asFloat(parts.get("imag"), kind),
      };
    }
    case "as_operator":
      return { kind: "opaque", what: `operator ${asString(value, kind).replace(/^torch\.ops\./, "")}` };
    case "as_string_to_argument":
      return { kind: "opaque", what: kind.slice(3) };
  }
  throw new ModelFileError("unsupported", `an argument of kind "${kind}" is unknown`);
}

function reference(json: Json): Arg {
  return { kind: "value", name: asString(asMap(json, "a tensor argument").get("name"), "a tensor's name") };
}

function symbolicArg(json: Json): Arg {
  const [kind, value] = union(json, "a symbolic argument");
  if (kind === "as_name") return { kind: "value", name: asString(value, "a symbolic argument's name") };
  return readConstant(kind, value);
}

function int(json: Json): Arg {
  return { kind: "int", value: asInt64(json, "an integer argument") };
}

function floating(json: Json): Arg {
  return { kind: "float", value: asFloat(json, "a float argument") };
}

function bool(json: Json): Arg {
  return { kind: "bool", value: asBool(json, "a bool argument") };
}

function text(json: Json): Arg {
  return { kind: "string", value: asString(json, "a string argument") };
}
