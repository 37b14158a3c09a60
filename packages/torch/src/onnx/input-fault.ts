interface IndexLabel {
  readonly op: string;
  /** The module whose table is looked up, such as "encoder.wte"; undefined where the op has none. */
  readonly place: string | undefined;
  /** Whether negative indices count from the end. */
  readonly wraps: boolean;
}

/** The name of an ONNX node that looks something up, made to be read by `inputFault`. */
export function indexLabel({ op, place, wraps }: IndexLabel): string {
  const where = place === undefined ? "" : ` in ${place.replace(/[^\w.-]/g, "_")}`;
  return `${wraps ? "index" : "index from 0"} of ${withoutOverload(op)}${where}`;
}

/** What an op needs of its inputs, by a name for errors, and what is said where they are otherwise. */
const NEEDS = {
  something: "is not defined for nothing, and one of its sizes is 0",
  "invertible matrices": "needs matrices that can be inverted, and one of them is singular",
  "finite numbers": "needs finite numbers, and an input holds NaN or infinity",
  numbers: "reads the bits of numbers, and one of them is NaN, which has many forms",
  "inputs without NaN": "takes the largest numbers around each place, for which an input with NaN has none",
  "no NaN": "compares whole rows, and one of them holds NaN, which differs from itself",
  "numbers from 0 on": "needs numbers from 0 on, and one of them is negative",
  "offsets from 0":
    "needs offsets that begin with 0, and they begin with another number or hold a negative one",
  "offsets within its indices": "needs offsets up to the number of its indices, and one is past them",
  "quantiles from 0 to 1": "needs quantiles from 0 to 1, and one is not between them",
  room: "takes numbers that ask for at most 134217728 places, and these ask for more",
  "the pivots of its factors":
    "needs the pivots that the factors were made with, and one is out of their range",
  "sizes that go together": "needs sizes that go together, and two of its operands have others",
  "positive-definite matrices": "needs positive-definite matrices, and one of them is not",
} as const;

export type Need = keyof typeof NEEDS;

/** The name of an ONNX node that fails where an op does not get what it needs. */
export function needLabel(op: string, need: Need): string {
  return `${need} for ${withoutOverload(op)}`;
}

function withoutOverload(op: string): string {
  return op.split(".").slice(0, 2).join(".");
}

const INDEX = /Name:'(index|index from 0) of ([\w.:]+)(?: in ([\w.-]+))?(?: #\d+)?'/;
const NEED = new RegExp(`Name:'(${Object.keys(NEEDS).join("|")}) for ([\\w.:]+)(?: #\\d+)?'`);

/** ONNX Runtime's ways to say that an index is out of range; the kernels behind one op differ. */
const TEXTS: readonly RegExp[] = [
  /indices element out of data bounds, idx=(-?\d+) must be within the inclusive range \[(-?\d+),(-?\d+)\]/,
  /invalid (?:indice|index) found, (?:indice|index) = (-?\d+)/,
  /Out of range value in index tensor/,
];

/** Half of what clearing its sign bit adds to a negative number. */
const CLEARED = 1n << 62n;

/**
 * What ONNX Runtime's error says about the inputs of a translated program, such as "an index of aten.embedding in wte is -1; it takes
 * 0 to 9"; undefined when it is about something else. Names ops and modules of the program, and nothing of the machine.
 */
export function inputFault(text: string): string | undefined {
  const unmet = NEED.exec(text);
  if (unmet !== null) return `${unmet[2]} ${NEEDS[unmet[1] as Need]}`;
  const label = INDEX.exec(text);
  if (label === null) return undefined;
  const match = TEXTS.map((pattern) => pattern.exec(text)).find((found) => found !== null);
  if (match === undefined) return undefined;
  const where = label[3] === undefined ? label[2] : `${label[2]} in ${label[3]}`;
  const fromZero = label[1] === "index from 0";
  const [, index, min, max] = match;
  if (index === undefined) return `an index of ${where} is out of its range`;
  const is = `an index of ${where} is ${original(BigInt(index), fromZero)}`;
  if (min === undefined || max === undefined) return `${is}, out of its range`;
  if (BigInt(max) < BigInt(min)) return `${is}; there is nothing that it could be`;
  return `${is}; it takes ${fromZero ? 0 : min} to ${max}`;
}

function original(index: bigint, fromZero: boolean): bigint {
  return fromZero && index >= CLEARED ? index - 2n * CLEARED : index;
}
