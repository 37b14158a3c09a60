/** An index out of range, in the words of the program. */
export interface IndexFault {
  /** Such as "aten.embedding". */
  readonly op: string;
  /** The module whose table was looked up, such as "encoder.wte"; undefined where the op has none. */
  readonly place: string | undefined;
  /** Undefined where ONNX Runtime does not say, as the range. */
  readonly index: bigint | undefined;
  readonly range: readonly [min: bigint, max: bigint] | undefined;
}

interface LabelParts {
  readonly op: string;
  readonly place: string | undefined;
  /** Whether negative indices count from the end. */
  readonly wraps: boolean;
}

/** The name of an ONNX node that looks something up, made to be read by `readIndexFault`. */
export function indexLabel({ op, place, wraps }: LabelParts): string {
  const name = op.split(".").slice(0, 2).join(".");
  const where = place === undefined ? "" : ` in ${place.replace(/[^\w.-]/g, "_")}`;
  return `${wraps ? "index" : "index from 0"} of ${name}${where}`;
}

const LABEL = /Name:'(index|index from 0) of ([\w.:]+)(?: in ([\w.-]+))?(?: #\d+)?'/;

/** ONNX Runtime's ways to say that an index is out of range; the kernels behind one op differ. */
const TEXTS: readonly RegExp[] = [
  /indices element out of data bounds, idx=(-?\d+) must be within the inclusive range \[(-?\d+),(-?\d+)\]/,
  /invalid (?:indice|index) found, (?:indice|index) = (-?\d+)/,
  /Out of range value in index tensor/,
];

/** Half of what clearing its sign bit adds to a negative number. */
const CLEARED = 1n << 62n;

/** What ONNX Runtime's error says about an index of a translated program; undefined when it is about something else. */
export function readIndexFault(text: string): IndexFault | undefined {
  const label = LABEL.exec(text);
  if (label === null) return undefined;
  for (const pattern of TEXTS) {
    const match = pattern.exec(text);
    if (match === null) continue;
    const [, index, min, max] = match;
    const fromZero = label[1] === "index from 0";
    const given = index === undefined ? undefined : BigInt(index);
    return {
      op: label[2]!,
      place: label[3],
      index: fromZero && given !== undefined && given >= CLEARED ? given - 2n * CLEARED : given,
      range: min === undefined || max === undefined ? undefined : [fromZero ? 0n : BigInt(min), BigInt(max)],
    };
  }
  return undefined;
}
