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
  readonly reduction: number | undefined;
  /** Whether an operand has no dimension. */
  readonly hasNumber: boolean;
}

/** The rule of a call; undefined where nothing is known to be refused. */
export function dtypeRuleOf({ target, reduction, hasNumber }: DtypeCall): DtypeRule | undefined {
  const way = `${reduction === undefined ? "" : `r${reduction}`}${hasNumber ? "z" : ""}`;
  const text =
    texts.get(way === "" ? target : `${target}@${way}`) ?? texts.get(hasNumber ? `${target}@z` : target);
  if (text === undefined) return undefined;
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const rule = parseRule(text);
  parsed.set(text, rule);
  return rule;
}

/**
 * `index=84 self~source mask^query *=fdhH self>source`: what is taken, what is of one dtype, what is so where it is floating, what all promote
 * to, what is written into what.
 */
function parseRule(text: string): DtypeRule {
  const parts = text.split(" ");
  const sets = parts.flatMap((part) => {
    const [name = "", letters] = part.split("=");
    return letters === undefined ? [] : [[name, new Set([...letters].map((c) => LETTERS[c]!))] as const];
  });
  return {
    each: new Map(sets.filter(([name]) => name !== "*")),
    alike: parts.filter((part) => !/[=>^]/.test(part)).map((part) => part.split("~")),
    alikeFloats: parts.flatMap((part) =>
      part.includes("^") ? [part.split("^").filter((name) => name)] : [],
    ),
    together: sets.find(([name]) => name === "*")?.[1],
    below: parts.filter((part) => part.includes(">")).map((part) => part.split(">")[1]!),
  };
}
