import { packBytes } from "@sconce/protocol";
import { ServeError } from "../base/errors.ts";
import type { InferResponse } from "../base/infer-request.ts";
import { NUMBER_ARRAYS, type NumberArray } from "../base/number-arrays.ts";
import type { ResultReceiver } from "../base/result-receiver.ts";
import type { RunSettings } from "../base/run-settings.ts";
import type { Signature } from "../base/signature.ts";
import type { Datatype, NamedTensor } from "../base/tensor.ts";
import { topIndices } from "./top-classes.ts";

/** Elements of an output that are looked through at once. */
const MAX_ELEMENTS = 2 ** 20;

/** What has an order that a class can be chosen by. */
const READERS: Partial<Record<Datatype, NumberArray>> = NUMBER_ARRAYS;

/** What a model's answers are classified with. */
export interface ClassificationParts extends Pick<RunSettings, "labels"> {
  /** The first dimension of every output is the batch. */
  readonly isBatching: boolean;
}

/**
 * Throws `invalid_argument` for an output that has no classes. `wanted`: how many of the best classes, by the output's name in the
 * signature.
 */
export function checkClassification(wanted: ReadonlyMap<string, number>, { outputs }: Signature): void {
  for (const name of wanted.keys()) {
    const spec = outputs.find((output) => output.name === name);
    if (spec === undefined || READERS[spec.datatype] !== undefined) continue;
    throw refused(name, `it is ${spec.datatype}, which has no order`);
  }
}

/** Turns outputs into their best classes, as Triton writes them: BYTES `value:index` or `value:index:label`, `[rows, classes]`. */
export function classifying(
  receiver: ResultReceiver<InferResponse>,
  wanted: ReadonlyMap<string, number>,
  parts: ClassificationParts,
): ResultReceiver<InferResponse> {
  return {
    resolve(response) {
      try {
        const outputs = response.outputs.map((output) => {
          const count = wanted.get(output.name);
          return count === undefined ? output : classified(output, count, parts);
        });
        receiver.resolve({ ...response, outputs });
      } catch (error) {
        receiver.reject(ServeError.from(error));
      }
    },
    reject: (error) => receiver.reject(error),
  };
}

function classified(
  output: NamedTensor,
  count: number,
  { labels, isBatching }: ClassificationParts,
): NamedTensor {
  const { name, shape, datatype, bytes } = output;
  const values = READERS[datatype]!(bytes.slice().buffer);
  if (values.length > MAX_ELEMENTS)
    throw refused(name, `it has ${values.length} elements, and ${MAX_ELEMENTS} may be compared`);
  const hasRows = isBatching && shape.length > 0;
  const rows = hasRows ? shape[0]! : 1;
  const classes = shape.slice(hasRows ? 1 : 0).reduce((product, size) => product * size, 1);
  const top = Math.min(count, classes);
  const names = labels?.get(name) ?? labels?.get("");
  const isFloat = datatype.startsWith("FP");
  const texts: Uint8Array[] = [];
  for (let row = 0; row < rows; row++) {
    const start = row * classes;
    for (const index of topIndices(values, start, start + classes, top)) {
      const label = names?.[index - start];
      const text = `${isFloat ? decimal(values[index] as number) : values[index]}:${index - start}`;
      texts.push(Buffer.from(label === undefined ? text : `${text}:${label}`));
    }
  }
  return { name, datatype: "BYTES", shape: hasRows ? [rows, top] : [top], bytes: packBytes(texts) };
}

/** As C++'s `std::to_string`: six digits after the point. */
function decimal(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Math.abs(value) < 1e21 ? value.toFixed(6) : `${BigInt(value)}.000000`;
}

function refused(name: string, why: string): ServeError {
  return new ServeError("invalid_argument", `output "${name}" cannot be classified: ${why}`, {
    reason: "bad_parameter",
  });
}
