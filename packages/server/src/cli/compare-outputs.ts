import { numberReader } from "../base/number-reader.ts";
import { elementBytes, type Tensor } from "../base/tensor.ts";

/** How far an output is from the one it should be, over all trials. */
export interface OutputDifference {
  readonly name: string;
  readonly maxError: number;
  readonly meanError: number;
  /** Cosine of the angle between both outputs as vectors; 1 means the same direction. */
  readonly cosine: number;
  /** Share of rows whose largest value is at the same place; undefined where rows have one value. */
  readonly top1: number | undefined;
}

/** Adds up the differences of one output. */
export class OutputComparison {
  readonly #name: string;
  #count = 0;
  #max = 0;
  #sum = 0;
  readonly #dot = { both: 0, want: 0, got: 0 };
  readonly #rows = { all: 0, equal: 0 };

  constructor(name: string) {
    this.#name = name;
  }

  add(want: Tensor, got: Tensor): void {
    const [a, b] = [numbersOf(want), numbersOf(got)];
    if (a.length !== b.length) this.#max = Number.POSITIVE_INFINITY;
    for (let i = 0; i < a.length; i++) this.#addValue(a[i]!, b[i] ?? Number.NaN);
    const width = want.shape.at(-1) ?? 1;
    if (width < 2 || want.shape.length < 2) return;
    for (let at = 0; at < a.length; at += width) {
      this.#rows.all++;
      if (largest(a, at, width) === largest(b, at, width)) this.#rows.equal++;
    }
  }

  #addValue(want: number, got: number): void {
    this.#count++;
    // Equal infinities and two NaNs are the same answer; one NaN is as wrong as can be.
    const isSame = want === got || (Number.isNaN(want) && Number.isNaN(got));
    const error = isSame ? 0 : Math.abs(want - got);
    this.#max = Math.max(this.#max, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
    this.#sum += Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
    if (!Number.isFinite(want) || !Number.isFinite(got)) return;
    this.#dot.both += want * got;
    this.#dot.want += want * want;
    this.#dot.got += got * got;
  }

  finish(): OutputDifference {
    const { both, want, got } = this.#dot;
    const isZero = want === 0 || got === 0;
    return {
      name: this.#name,
      maxError: this.#max,
      meanError: this.#count === 0 ? 0 : this.#sum / this.#count,
      cosine: isZero ? (want === got ? 1 : 0) : both / Math.sqrt(want * got),
      top1: this.#rows.all === 0 ? undefined : this.#rows.equal / this.#rows.all,
    };
  }
}

function largest(values: ArrayLike<number>, start: number, width: number): number {
  let best = start;
  for (let at = start + 1; at < start + width; at++) if (values[at]! > values[best]!) best = at;
  return best;
}

function numbersOf({ datatype, bytes }: Tensor): Float64Array {
  const width = elementBytes(datatype);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = numberReader(datatype);
  return Float64Array.from({ length: width === 0 ? 0 : bytes.length / width }, (_, i) =>
    read(view, i * width),
  );
}
