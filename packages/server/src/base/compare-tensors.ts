import { numberReader } from "./number-reader.ts";
import { elementBytes, type NamedTensor } from "./tensor.ts";

/** The worst place of one output of one trial. */
export interface Difference {
  readonly output: string;
  /** |a − b| / (1 + |b|), b being PyTorch's; infinite where one is NaN or infinite and the other is not the same, and where shapes differ. */
  readonly error: number;
  /** Where, and both values; for shapes or datatypes that differ, those. */
  readonly words: string;
}

/** How far an output is from PyTorch's, at the worst. BYTES are compared as bytes. */
export function compareTensors(got: NamedTensor, want: NamedTensor): Difference {
  const comparison = new TensorComparison(got, want);
  comparison.advance(Number.POSITIVE_INFINITY);
  return comparison.difference();
}

/** The same in steps, for whoever has other things to do meanwhile. */
export class TensorComparison {
  readonly #got: NamedTensor;
  readonly #want: NamedTensor;
  /** What shows without a look at the elements. */
  readonly #known: Difference | undefined;
  #next = 0;
  #worst = 0;
  #place = -1;

  constructor(got: NamedTensor, want: NamedTensor) {
    this.#got = got;
    this.#want = want;
    this.#known = knownDifference(got, want);
  }

  /** Looks at so many elements more; true when none is left. */
  advance(elements: number): boolean {
    const { datatype, bytes } = this.#want;
    if (this.#known !== undefined) return true;
    const width = elementBytes(datatype);
    const read = numberReader(datatype);
    const [a, b] = [viewOf(this.#got), viewOf(this.#want)];
    const end = Math.min(bytes.length, this.#next + elements * width);
    for (let at = this.#next; at < end; at += width) {
      const error = errorOf(read(a, at), read(b, at));
      if (error > this.#worst) [this.#worst, this.#place] = [error, at];
    }
    this.#next = end;
    return end === bytes.length;
  }

  /** Of the elements that were looked at. */
  difference(): Difference {
    if (this.#known !== undefined) return this.#known;
    const { name: output, datatype, shape } = this.#want;
    const place = this.#place;
    if (place < 0) return { output, error: 0, words: "" };
    const read = numberReader(datatype);
    const where = placeOf(place / elementBytes(datatype), shape);
    const [a, b] = [this.#got, this.#want].map((tensor) => read(viewOf(tensor), place));
    return { output, error: this.#worst, words: `at [${where.join(", ")}]: ${a} instead of ${b}` };
  }
}

/** Of tensors whose elements need not be compared one by one. */
function knownDifference(got: NamedTensor, want: NamedTensor): Difference | undefined {
  const output = want.name;
  const kinds = [got, want].map(({ datatype, shape }) => `${datatype} [${shape.join(", ")}]`);
  if (kinds[0] !== kinds[1])
    return { output, error: Number.POSITIVE_INFINITY, words: `${kinds[0]} instead of ${kinds[1]}` };
  if (want.datatype !== "BYTES") return undefined;
  const isSame = Buffer.compare(got.bytes, want.bytes) === 0;
  return { output, error: isSame ? 0 : Number.POSITIVE_INFINITY, words: isSame ? "" : "other bytes" };
}

function viewOf({ bytes }: NamedTensor): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function errorOf(got: number, want: number): number {
  if (got === want || (Number.isNaN(got) && Number.isNaN(want))) return 0;
  const error = Math.abs(got - want) / (1 + Math.abs(want));
  return Number.isFinite(error) ? error : Number.POSITIVE_INFINITY;
}

/** The indices of the element with that number, row by row. */
function placeOf(index: number, shape: readonly number[]): number[] {
  const place: number[] = [];
  let rest = index;
  for (const size of [...shape].reverse()) {
    place.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return place;
}
