import { type Guard, type GuardOp, type GuardTerm, isGuardNode } from "./guard.ts";

/** How the inputs of a guard are called. */
export interface GuardLabels {
  /** In code: `x.shape[1]`. */
  code(term: GuardTerm): string;
  /** In a sentence: `dimension 1 of input "x"`. */
  words(term: GuardTerm): string;
}

const SIGNS: Partial<Record<GuardOp, string>> = {
  add: "+",
  sub: "-",
  mul: "*",
  truediv: "/",
  floordiv: "//",
  mod: "%",
  pow: "**",
  bitand: "&",
  bitor: "|",
  bitxor: "^",
  eq: "==",
  ne: "!=",
  lt: "<",
  le: "<=",
  gt: ">",
  ge: ">=",
  and: "and",
  or: "or",
};

/** The condition as Python. */
export function guardText(term: GuardTerm, labels: GuardLabels, isInner = false): string {
  if (!isGuardNode(term)) return typeof term === "number" ? String(term) : labels.code(term);
  const { op, args } = term;
  const [a, b, c] = args;
  const part = (arg: GuardTerm): string => guardText(arg, labels, true);
  const wrap = (text: string): string => (isInner ? `(${text})` : text);
  if (op === "sub" && a === 0) return `-${part(b!)}`;
  if (op === "mul" && a === -1) return `-${args.slice(1).map(part).join("*")}`;
  if (op === "not") return wrap(`not ${part(a!)}`);
  if (op === "ite") return wrap(`${part(b!)} if ${part(a!)} else ${part(c!)}`);
  const sign = SIGNS[op];
  if (sign !== undefined) return wrap(args.map(part).join(sign === "*" ? sign : ` ${sign} `));
  return `${op}(${args.map((arg) => guardText(arg, labels)).join(", ")})`;
}

const RELATIONS: Partial<Record<GuardOp, string>> = {
  eq: "equal",
  ne: "differ from",
  lt: "be less than",
  le: "be at most",
  gt: "be greater than",
  ge: "be at least",
};

/** What the condition demands, as a sentence without its end. */
export function guardRequirement({ condition, because }: Guard, labels: GuardLabels): string {
  const reason = because === undefined ? "" : `, since ${because}`;
  return `${simple(condition, labels) ?? general(condition, labels)}${reason}`;
}

function general(condition: GuardTerm, labels: GuardLabels): string {
  if (typeof condition === "number") return "no sizes can be served";
  return `the program was exported for sizes where ${guardText(condition, labels)}`;
}

function simple(condition: GuardTerm, labels: GuardLabels): string | undefined {
  if (!isGuardNode(condition)) return undefined;
  const { op, args } = condition;
  const [a, b] = args;
  if (isRemainder(a) && op === "eq" && b === 0) {
    return `${labels.words(a.args[0]!)} must be a multiple of ${a.args[1]}`;
  }
  const relation = RELATIONS[op];
  if (relation === undefined || !isInput(a)) return undefined;
  if (isInput(b)) return `${labels.words(a)} must ${relation} ${labels.words(b)}`;
  if (typeof b !== "number") return undefined;
  if (op === "eq") return `${labels.words(a)} must be ${b}`;
  return `${labels.words(a)} must ${op === "ne" ? "not be" : relation} ${b}`;
}

function isInput(term: GuardTerm | undefined): term is Extract<GuardTerm, { op: "size" | "value" }> {
  return typeof term === "object" && !isGuardNode(term);
}

function isRemainder(term: GuardTerm | undefined): term is Extract<GuardTerm, { op: GuardOp }> {
  return isGuardNode(term) && term.op === "mod" && isInput(term.args[0]) && typeof term.args[1] === "number";
}
