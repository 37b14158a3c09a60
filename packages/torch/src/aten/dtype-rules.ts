import type { DType } from "../dtype.ts";
import { ATEN_DTYPES } from "./gen/aten-dtypes.ts";

/** Which dtypes an op takes, as far as PyTorch's kernels for the CPU show. */
export interface DtypeRule {
  /** By parameter; one that is missing takes all. */
  readonly each: ReadonlyMap<string, ReadonlySet<DType>>;
  /** Parameters whose tensors have one dtype. */
  readonly alike: readonly (readonly string[])[];
  /** Parameters whose floating tensors have one dtype. */
  readonly alikeFloats: readonly (readonly string[])[];
  /** What all operands may promote to. */
  readonly together: ReadonlySet<DType> | undefined;
  /** Of an op in place: parameters that are of no higher kind (bool, integer, float) than what it writes into. */
  readonly below: readonly string[];
  /** What else is refused: each parameter of one of these dtypes. */
  readonly not: readonly ReadonlyMap<string, ReadonlySet<DType>>[];
}

/** The table's letters. */
const LETTERS: Readonly<Record<string, DType>> = {
  f: "float32",
  d: "float64",
  h: "float16",
  H: "bfloat16",
  8: "int64",
  4: "int32",
  2: "int16",
  1: "int8",
  u: "uint8",
  b: "bool",
};

/** The dtypes that the rules speak of; they say nothing of calls with others. */
export const RULED: ReadonlySet<DType> = new Set(Object.values(LETTERS));

const texts = new Map(
  ATEN_DTYPES.split("\n").flatMap((line) => {
    const [rule = "", ops = ""] = line.split(": ");
    return ops.split(" ").map((op): [string, string] => [`aten.${op}`, rule]);
  }),
);
const parsed = new Map<string, DtypeRule>();

/** What decides which rule of an op holds. */
export interface DtypeCall {
  /** "aten.gather.default" */
  readonly target: string;
  /** How a loss is reduced, by ATen's number. */
  readonly reduction?: number | undefined;
  /** What else chooses the kernel, as scripts/python/generate_dtypes.py names it: `t2`, a convolution in two dimensions that is transposed. */
  readonly kernel: string;
  /** Whether an operand has no dimension. */
  readonly hasNumber: boolean;
  /** The parameters that are given tensors. */
  readonly operands: readonly string[];
}

/** The rule of a call; undefined where nothing is known to be refused. */
export function dtypeRuleOf(call: DtypeCall): DtypeRule | undefined {
  const operands = [...call.operands].sort().join(",");
  for (const way of waysOf(call)) {
    const key = way === "" ? call.target : `${call.target}@${way}`;
    const text = texts.get(`${key}|${operands}`) ?? texts.get(key);
    if (text !== undefined) return ruleOf(text);
  }
  return undefined;
}

/** The table's names of a call's ways, the one that fits best first. */
function* waysOf({ reduction, kernel, hasNumber }: DtypeCall): Generator<string> {
  const number = hasNumber ? "z" : "";
  if (reduction !== undefined) {
    // What is refused for every element is refused for their sum, and what is for a sum is for a mean.
    for (const weaker of reduction === 1 ? [1, 2, 0] : [reduction, 0]) yield `r${weaker}${number}`;
  }
  yield `${kernel}${number}`;
  // Kernels that are chosen promote nothing, whatever has no dimension.
  if (kernel !== "") yield kernel;
  yield number;
}

function ruleOf(text: string): DtypeRule {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const rule = parseRule(text);
  parsed.set(text, rule);
  return rule;
}

/**
 * `index=84 self~source mask^query *=fdhH self>source !self=fd,other=b`: what is taken, what is of one dtype, what is so where it is floating,
 * what all promote to, what is written into what, and what else is refused.
 */
function parseRule(text: string): DtypeRule {
  const all = text.split(" ");
  const parts = all.filter((part) => !part.startsWith("!"));
  const sets = new Map(parts.filter((part) => part.includes("=")).map(parseSet));
  return {
    each: new Map([...sets].filter(([name]) => name !== "*")),
    alike: parts.filter((part) => !/[=>^]/.test(part)).map((part) => part.split("~")),
    alikeFloats: parts.flatMap((part) =>
      part.includes("^") ? [part.split("^").filter((name) => name)] : [],
    ),
    together: sets.get("*"),
    below: parts.filter((part) => part.includes(">")).map((part) => part.split(">")[1]!),
    not: all
      .filter((part) => part.startsWith("!"))
      .map((part) => new Map(part.slice(1).split(",").map(parseSet))),
  };
}

function parseSet(text: string): [name: string, dtypes: ReadonlySet<DType>] {
  const [name = "", letters = ""] = text.split("=");
  return [name, new Set([...letters].map((letter) => LETTERS[letter]!))];
}
