import { elementBytes, type NamedTensor } from "../../base/tensor.ts";
import { numberReader } from "../number-reader.ts";

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
  const output = want.name;
  const kinds = [got, want].map(({ datatype, shape }) => `${datatype} [${shape.join(", ")}]`);
  if (kinds[0] !== kinds[1])
    return { output, error: Number.POSITIVE_INFINITY, words: `${kinds[0]} instead of ${kinds[1]}` };
  if (want.datatype === "BYTES") {
    const isSame = Buffer.compare(got.bytes, want.bytes) === 0;
    return { output, error: isSame ? 0 : Number.POSITIVE_INFINITY, words: isSame ? "" : "other bytes" };
  }
  const width = elementBytes(want.datatype);
  const read = numberReader(want.datatype);
  const [a, b] = [got, want].map(
    ({ bytes }) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  );
  let [worst, place] = [0, -1];
  for (let at = 0; at < want.bytes.length; at += width) {
    const error = errorOf(read(a!, at), read(b!, at));
    if (error > worst) [worst, place] = [error, at];
  }
  if (place < 0) return { output, error: 0, words: "" };
  const where = placeOf(place / width, want.shape);
  return {
    output,
    error: worst,
    words: `at [${where.join(", ")}]: ${read(a!, place)} instead of ${read(b!, place)}`,
  };
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
