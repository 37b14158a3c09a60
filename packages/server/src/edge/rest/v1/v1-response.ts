import { ByteWriter, JsonTensorEncoder, writeUtf8 } from "@sconce/protocol";
import type { InferResponse } from "../../../base/infer-request.ts";
import { elementBytes, elementCount, type NamedTensor } from "../../../base/tensor.ts";
import type { Work } from "../../time-slicer.ts";
import { type InferenceBody, JSON_TYPE } from "../call/rest-call.ts";
import { bad } from "../json/fields.ts";

const FORM = { layout: "nested", nonFinite: "bare" } as const;

/**
 * Encodes `{"predictions": […]}`, one value for each row, or `{"outputs": …}`, one for each output; the name is left out where there is one
 * output. Throws `invalid_argument` when rows are asked for and the outputs have none.
 */
export function* encodeV1Response({ outputs }: InferResponse, isByRow: boolean): Work<InferenceBody> {
  const out = new ByteWriter(512, Buffer.allocUnsafe);
  out.ascii(isByRow ? '{"predictions":' : '{"outputs":');
  if (outputs.length === 1) yield new JsonTensorEncoder(out, outputs[0]!, FORM);
  else if (isByRow) yield* encodeRows(out, outputs);
  else yield* encodeNamed(out, outputs);
  out.ascii("}");
  return { body: out.finish(), type: JSON_TYPE };
}

function* encodeNamed(out: ByteWriter, outputs: readonly NamedTensor[]): Work<void> {
  for (let i = 0; i < outputs.length; i++) {
    writeUtf8(out, `${i === 0 ? "{" : ","}${JSON.stringify(outputs[i]!.name)}:`);
    yield new JsonTensorEncoder(out, outputs[i]!, FORM);
  }
  out.ascii(outputs.length === 0 ? "{}" : "}");
}

function* encodeRows(out: ByteWriter, outputs: readonly NamedTensor[]): Work<void> {
  const rows = outputs[0]?.shape[0] ?? 0;
  if (outputs.some(({ shape }) => shape[0] !== rows))
    throw bad("instances", 'the outputs of this model do not have one row each; ask with "inputs"');
  const columns = outputs.map((output) => rowsOf(output, rows));
  out.ascii("[");
  for (let row = 0; row < rows; row++) {
    if (row > 0) out.ascii(",");
    yield* encodeNamed(
      out,
      columns.map((column) => column(row)),
    );
  }
  out.ascii("]");
}

/** The rows of an output, each as a tensor of its own. */
function rowsOf(output: NamedTensor, rows: number): (row: number) => NamedTensor {
  const { datatype, bytes } = output;
  const shape = output.shape.slice(1);
  const elements = elementCount(shape);
  const ends = new Float64Array(rows + 1);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let row = 0; row < rows; row++) {
    let at = ends[row]!;
    if (datatype === "BYTES") for (let i = 0; i < elements; i++) at += 4 + view.getUint32(at, true);
    else at += elements * elementBytes(datatype);
    ends[row + 1] = at;
  }
  return (row) => ({ ...output, shape, bytes: bytes.subarray(ends[row]!, ends[row + 1]!) });
}
