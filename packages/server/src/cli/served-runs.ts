import type { Signature } from "../base/signature.ts";
import type { Tensor } from "../base/tensor.ts";
import type { Trial } from "./trial-inputs.ts";

/** Rows of a trial that a server would run together. */
export interface ServedRun extends Trial {
  readonly rows: number;
}

/**
 * A trial in the runs in which a server with that most rows of a run has it: whole where requests do not share runs, and where rows of texts cannot be
 * told apart by their bytes.
 */
export function servedRuns(
  { label, inputs }: Trial,
  { batching }: Pick<Signature, "batching">,
  maxRows: number,
): ServedRun[] {
  const rows = inputs[0]?.shape[0] ?? 1;
  const most = batching.kind === "on" ? Math.min(maxRows, batching.maxRows ?? maxRows) : rows;
  const isCut = rows > most && inputs.every((tensor) => isOfRows(tensor, rows));
  if (!isCut) return [{ label, inputs, rows }];
  return Array.from({ length: Math.ceil(rows / most) }, (_, i) => {
    const from = i * most;
    const to = Math.min(rows, from + most);
    return { label, inputs: inputs.map((tensor) => rowsOf(tensor, from, to)), rows: to - from };
  });
}

function isOfRows({ datatype, shape }: Tensor, rows: number): boolean {
  return datatype !== "BYTES" && shape[0] === rows;
}

function rowsOf({ datatype, shape, bytes }: Tensor, from: number, to: number): Tensor {
  const rowBytes = bytes.length / shape[0]!;
  return {
    datatype,
    shape: [to - from, ...shape.slice(1)],
    bytes: bytes.subarray(from * rowBytes, to * rowBytes),
  };
}
