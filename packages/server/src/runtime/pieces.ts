import type { MetricReport, ReportListener } from "../base/metric-report.ts";
import type { RunRequest } from "../base/run.ts";
import { protocolError } from "../worker/frame.ts";
import type { Call } from "../worker/worker.ts";

const ROW_BYTES = 4;
/** In place of a row: numbers that the model reports, as JSON. As in python/sconce_worker/frames.py. */
const NO_ROW = 0xffff_ffff;
const MAX_REPORT_BYTES = 2 ** 20;
const KINDS = ["counter", "gauge", "histogram"] as const;

/**
 * Reads what a worker tells while it works on a run: pieces of its rows' answers, whose header is the row, as u32, and what the model says of it; and
 * numbers that are of no row.
 */
export function pieceReader(
  onPiece: RunRequest["onPiece"],
  onReports: ReportListener | undefined,
): NonNullable<Call["onBytes"]> {
  return (header, body) => {
    if (header.length < ROW_BYTES) throw protocolError("a piece of an answer names no row");
    const row = new DataView(header.buffer, header.byteOffset).getUint32(0, true);
    const said = header.subarray(ROW_BYTES);
    if (row === NO_ROW) onReports?.(readReports(said));
    else onPiece?.(row, { head: said, body });
  };
}

/** Throws `worker_protocol` for what is no list of reports. */
function readReports(bytes: Uint8Array): readonly MetricReport[] {
  if (bytes.length > MAX_REPORT_BYTES) return [];
  let all: unknown;
  try {
    all = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8"));
  } catch {
    throw protocolError("the numbers that its model reports cannot be read");
  }
  if (!Array.isArray(all)) throw protocolError("the numbers that its model reports are no list");
  return all.map(readReport);
}

function readReport(one: unknown): MetricReport {
  const [kind, name, value, unit, dimensions] = Array.isArray(one) ? (one as readonly unknown[]) : [];
  const known = KINDS.find((candidate) => candidate === kind);
  if (
    known === undefined ||
    typeof name !== "string" ||
    typeof value !== "number" ||
    typeof unit !== "string"
  )
    throw protocolError("a number that its model reports lacks its kind, name, value or unit");
  return { kind: known, name, value, unit, labels: readLabels(dimensions) };
}

function readLabels(dimensions: unknown): MetricReport["labels"] {
  if (!Array.isArray(dimensions)) throw protocolError("a number that its model reports has no dimensions");
  return dimensions.map((pair: unknown) => {
    const [name, value] = Array.isArray(pair) ? (pair as readonly unknown[]) : [];
    if (typeof name !== "string" || typeof value !== "string")
      throw protocolError("a number that its model reports has a dimension without a name or value");
    return [name, value] as const;
  });
}
