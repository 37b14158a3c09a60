interface IndexLabel {
  readonly op: string;
  /** The module whose table is looked up, such as "encoder.wte"; undefined where the op has none. */
  readonly place: string | undefined;
  /** The input that holds the index; undefined where it is calculated. */
  readonly input?: string | undefined;
  /** Whether negative indices count from the end. */
  readonly wraps: boolean;
  /** How many positions each of several indexed dimensions has, as far as that is known. */
  readonly sizes?: ReadonlyMap<number, number>;
}

/** The name of an ONNX node that looks something up, made to be read by `inputFault`. */
export function indexLabel({ op, place, input, wraps, sizes = new Map() }: IndexLabel): string {
  const plain = (name: string): string => name.replace(/[^\w.-]/g, "_");
  const where =
    (place === undefined ? "" : ` in ${plain(place)}`) + (input === undefined ? "" : ` from ${plain(input)}`);
  const over = sizes.size === 0 ? "" : ` over ${[...sizes].map((size) => size.join(":")).join(",")}`;
  return `${wraps ? "index" : "index from 0"} of ${withoutOverload(op)}${where}${over}`;
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
    "needs offsets that begin with 0 and do not fall, and they begin with another number or one is less than the one before",
  "offsets within its indices": "needs offsets up to the number of its indices, and one is past them",
  "lengths that add up":
    "needs lengths from 0 on that add up to the size of what they divide, and these do not",
  "lengths that fall":
    "needs lengths from 1 to the size of what it packs that do not rise, and these are others",
  "room for its sequences": "fills sequences up to a length that is less than that of the longest",
  "offsets that rise":
    "needs offsets from 0 to the size of what they divide that do not fall, and these are others",
  "quantiles from 0 to 1": "needs quantiles from 0 to 1, and one is not between them",
  "enough elements": "takes an element for each that its mask picks, and there are fewer",
  "numbers that fit":
    "fills with a number that the dtype of its tensor has to hold, and this one does not fit",
  "windows that leave no gap": "needs windows that overlap, and somewhere there is none, or no signal at all",
  room: "takes numbers that ask for at most 134217728 places, and these ask for more",
  "the pivots of its factors":
    "needs the pivots that the factors were made with, and one is out of their range",
  "sizes that go together": "needs sizes that go together, and two of its operands have others",
  "degrees up to 4096": "calculates polynomials up to degree 4096, and one is asked for with a higher degree",
  "arguments from -4087 on": "adds up terms from -4087 on, and an argument is below that",
  "positive-definite matrices": "needs positive-definite matrices, and one of them is not",
} as const;

export type Need = keyof typeof NEEDS;

/** The name of an ONNX node that fails where an op does not get what it needs. */
export function needLabel(op: string, need: Need): string {
  return `${need} for ${withoutOverload(op)}`;
}

/** Begins the names of ONNX nodes that fail where the data of a run are not what the program demands. */
export const DATA_CHECK = "check:";

/** No longer text of a program reaches a client. */
const MAX_SAID = 240;

/** The name of an ONNX node that looks up an impossible position where the data are not as `said`. */
export function checkLabel(said: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const plain = said.replace(/[\x00-\x1f\x7f']/g, " ").trim();
  return `${DATA_CHECK} ${plain.length > MAX_SAID ? `${plain.slice(0, MAX_SAID)}…` : plain}`;
}

function withoutOverload(op: string): string {
  return op.split(".").slice(0, 2).join(".");
}

const INDEX =
  /Name:'(index|index from 0) of ([\w.:]+)(?: in ([\w.-]+))?(?: from ([\w.-]+))?(?: over ([\d:,]+))?(?: #\d+)?'/;
const NEED = new RegExp(`Name:'(${Object.keys(NEEDS).join("|")}) for ([\\w.:]+)(?: #\\d+)?'`);

const CHECK = new RegExp(`Name:'${DATA_CHECK} (.*?)(?: #\\d+)?' Status Message:`);

/** How the words of a check end that tells the number it found, by a place past the end of a list of one: n + 1, or n - 2 for those below 0. */
export const TELLS_NUMBER = "; it is %";

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
  const said = CHECK.exec(text)?.[1];
  if (said !== undefined) return said.replace(TELLS_NUMBER, () => foundNumber(text));
  const label = INDEX.exec(text);
  if (label === null) return undefined;
  const match = TEXTS.map((pattern) => pattern.exec(text)).find((found) => found !== null);
  if (match === undefined) return undefined;
  const place = label[3] === undefined ? label[2] : `${label[2]} in ${label[3]}`;
  const where = label[4] === undefined ? place : `${place} (input "${label[4]}")`;
  const fromZero = label[1] === "index from 0";
  const [, index, min, max] = match;
  if (index === undefined) return `an index of ${where} is out of its range`;
  const is = `an index of ${where} is ${original(BigInt(index), fromZero)}`;
  if (min === undefined || max === undefined) return `${is}${outOfRange(label[5], fromZero)}`;
  if (BigInt(max) < BigInt(min)) return `${is}; there is nothing that it could be`;
  return `${is}; it takes ${fromZero ? 0 : min} to ${max}`;
}

/** What each of several indexed dimensions takes, where the label says so. */
function outOfRange(over: string | undefined, fromZero: boolean): string {
  if (over === undefined) return ", out of its range";
  const ranges = over.split(",").map((part) => {
    const [axis, size] = part.split(":").map(Number);
    return `dimension ${axis} takes ${fromZero ? 0 : -size!} to ${size! - 1}`;
  });
  return `; ${ranges.join(", ")}`;
}

/** The number that stands at the end of a check's words; nothing where ONNX Runtime does not tell it. */
function foundNumber(text: string): string {
  const index = TEXTS[0]!.exec(text)?.[1];
  if (index === undefined) return "";
  const place = BigInt(index);
  return TELLS_NUMBER.replace("%", String(place > 0n ? place - 1n : place + 2n));
}

function original(index: bigint, fromZero: boolean): bigint {
  return fromZero && index >= CLEARED ? index - 2n * CLEARED : index;
}
