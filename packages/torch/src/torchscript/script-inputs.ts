import type { ZipArchive } from "../archive/zip.ts";
import { type PickleArchive, readPickleMember } from "../checkpoint/pickle-archive.ts";
import { entryOf, itemsOf, type PickleValue } from "../checkpoint/pickle-value.ts";
import { DTYPES, type DType } from "../dtype.ts";
import { ModelFileError } from "../errors.ts";
import type { TensorType } from "../graph/ir.ts";
import { type Dim, symbol } from "../graph/sym.ts";
import { MissingInputs } from "./missing-inputs.ts";
import { untagged } from "./object-graph.ts";
import { tensorType } from "./shapes/shape-args.ts";
import type { Expr, FunctionParam } from "./source-ast.ts";
import type { NumberValue } from "./value.ts";

/** An input of a program that does not say itself what it takes. A text stands for a size that the caller chooses. */
export type ScriptInput =
  | { readonly dtype: DType; readonly dims: readonly (number | string)[] }
  /** A number that `forward` takes, the same in every request. */
  | { readonly constant: number | boolean };

/** The argument types of a program by name; undefined stands for None. */
export type InputTypes = ReadonlyMap<string, TensorType | undefined>;

const INPUT = /^\s*([a-z0-9_]{1,20})\s*\[([^[\]]{0,1000})\]\s*$/;
const MAX_RANK = 16;
const CONSTANT = /^\s*(true|false|True|False|-?\d{1,15}(?:\.\d{1,15})?(?:e-?\d{1,3})?)\s*$/;
const TRUTHS: Readonly<Record<string, boolean>> = { true: true, True: true, false: false, False: false };

/** Reads `float32[batch, 3, 224, 224]`, or a number or a truth for an argument that takes one. Undefined for anything else. */
export function parseScriptInput(text: string): ScriptInput | undefined {
  const constant = CONSTANT.exec(text)?.[1];
  if (constant !== undefined) return { constant: TRUTHS[constant] ?? Number(constant) };
  const [, name, sizes = ""] = INPUT.exec(text) ?? [];
  const dtype = DTYPES.find((known) => known === name);
  const dims = sizes.trim() === "" ? [] : sizes.split(",").map((size) => parseDim(size.trim()));
  if (dtype === undefined || dims.length > MAX_RANK || dims.includes(undefined)) return undefined;
  return { dtype, dims: dims as (number | string)[] };
}

function parseDim(text: string): number | string | undefined {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  return /^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(text) ? text : undefined;
}

/** `traced_inputs.pkl`: example inputs by method and in order, with types and sizes but without values. */
export function tracedInputs(zip: ZipArchive, folder: string, params: readonly FunctionParam[]): InputTypes {
  const types = new Map<string, TensorType | undefined>();
  if (!zip.entries.has(`${folder}traced_inputs.pkl`)) return types;
  const archive = readPickleMember(zip, { folder, member: "traced_inputs" });
  const inputs = itemsOf(untagged(entryOf(untagged(archive.root), "forward") ?? null)) ?? [];
  for (const [at, input] of inputs.entries()) {
    const param = params[at];
    if (param !== undefined) types.set(param.name, tracedInput(archive, untagged(input)));
  }
  return types;
}

function tracedInput(archive: PickleArchive, value: PickleValue): TensorType | undefined {
  if (value === null) return undefined;
  const tensor = archive.tensor(value);
  if (tensor === undefined) {
    throw new ModelFileError(
      "unsupported",
      "the TorchScript archive takes inputs that are not tensors; export it with torch.export",
    );
  }
  return tensorType(tensor.dtype, tensor.shape);
}

/** What a user states of a program. */
export interface StatedInputs {
  /** Tensors, by argument of `forward` or by attribute that keeps a state. */
  readonly types: InputTypes;
  /** Numbers, by argument of `forward`. */
  readonly constants: ReadonlyMap<string, NumberValue>;
}

/**
 * The types and constants that the user states. Throws ModelFileError for names that are neither an argument of `forward` nor, as
 * `isAttribute` says, an attribute of the module.
 */
export function givenInputs(
  given: ReadonlyMap<string, ScriptInput>,
  params: readonly FunctionParam[],
  isAttribute: (name: string) => boolean,
): StatedInputs {
  const types = new Map<string, TensorType>();
  const constants = new Map<string, NumberValue>();
  for (const [name, input] of given) {
    const param = params.find((known) => known.name === name) ?? countedParam(name, params);
    if (param === undefined && !isAttribute(name)) {
      throw new ModelFileError(
        "unsupported",
        `'inputs' names '${name}', but the arguments of 'forward' are ${params.map((known) => `'${known.name}'`).join(", ")}`,
      );
    }
    if (!("constant" in input)) types.set(param?.name ?? name, typed(input));
    else if (param !== undefined) constants.set(param.name, constantOf(param, input.constant));
    else throw new ModelFileError("unsupported", `'inputs' gives the attribute '${name}' a number`);
  }
  return { types, constants };
}

/** Triton's names: `x__0` is the argument x, or else the first one. */
function countedParam(name: string, params: readonly FunctionParam[]): FunctionParam | undefined {
  const [, stem, place] = /^(.*)__(\d{1,3})$/.exec(name) ?? [];
  return params.find((param) => param.name === stem) ?? params[Number(place)];
}

function typed({ dtype, dims }: Extract<ScriptInput, { readonly dtype: DType }>): TensorType {
  return tensorType(
    dtype,
    dims.map(
      (dim): Dim => (typeof dim === "number" ? dim : symbol(dim, { min: 0, max: Number.POSITIVE_INFINITY })),
    ),
  );
}

/** A number as the argument takes it. */
function constantOf({ name, type }: FunctionParam, constant: number | boolean): NumberValue {
  const wanted = typeText(type).replace(/^Optional\[(.*)\]$/, "$1");
  const value = Number(constant);
  const isTruth = typeof constant === "boolean";
  if (wanted === "bool" && isTruth) return { kind: "bool", value };
  if (wanted === "int" && !isTruth && Number.isSafeInteger(value)) return { kind: "int", value };
  if (wanted === "float" && !isTruth) return { kind: "float", value };
  throw new ModelFileError(
    "unsupported",
    `'inputs' says ${constant} of '${name}', but 'forward' takes ${type === undefined ? "a tensor" : `a ${wanted}`}`,
  );
}

/** Throws ModelFileError unless every argument of `forward` that gets a tensor can take one, and every other has a default. */
export function checkInputs(all: readonly FunctionParam[], { types, constants }: StatedInputs): void {
  const params = all.filter(({ name }) => !constants.has(name));
  const noTensor = params.find(
    ({ name, type, default: value }) =>
      (types.get(name) !== undefined || (!types.has(name) && value === undefined)) && !takesTensor(type),
  );
  if (noTensor !== undefined) {
    throw new ModelFileError(
      "unsupported",
      `'forward' takes '${noTensor.name}' as ${typeText(noTensor.type)}, and inputs are tensors: ${adviceFor(noTensor)}`,
    );
  }
  const missing = params.filter(({ name, default: value }) => !types.has(name) && value === undefined);
  if (missing.length === 0) return;
  const optional = params.filter(({ name, type, default: value }) => {
    return !types.has(name) && value !== undefined && takesTensor(type);
  });
  throw new MissingInputs(
    missing.map(({ name }) => name),
    optional.map(({ name }) => name),
  );
}

function adviceFor({ name, type }: FunctionParam): string {
  return /^(Optional\[)?(int|float|bool)\]?$/.test(typeText(type))
    ? `state the number that it always is in 'inputs', such as '${name}: 1'`
    : "export the model with torch.export, or script a module whose 'forward' takes tensors";
}

/** Arguments that tracing or scripting left without a type are tensors. */
function takesTensor(type: Expr | undefined): boolean {
  return type === undefined || typeText(type) === "Tensor" || typeText(type) === "Optional[Tensor]";
}

function typeText(type: Expr | undefined): string {
  if (type?.kind === "name") return type.name;
  if (type?.kind === "attribute") return `${typeText(type.object)}.${type.name}`;
  if (type?.kind === "tuple") return type.items.map(typeText).join(", ");
  return type?.kind === "subscript" ? `${typeText(type.object)}[${typeText(type.index)}]` : "a value";
}
