import { sizeText } from "../size-text.ts";
import type { ExportedInput, ExportReport, ExportTrial } from "./run-export.ts";

/** An export, and whether its result translates. */
export interface ExportDone {
  readonly output: string;
  readonly bytes: number;
  readonly report: ExportReport;
  /** Why it does not run without Python; undefined: it does. */
  readonly blocked: string | undefined;
}

/** What was done, for people. */
export function exportText({ output, bytes, report, blocked }: ExportDone): string {
  const lines = [
    `${output}  ${sizeText(bytes)}, ${report.parameters.toLocaleString("en")} parameters, exported by PyTorch ${report.torch}`,
    ...report.inputs.map(
      (input) => `  ${input.name}: ${input.datatype} [${input.dims.map(dimText).join(", ")}]`,
    ),
    ...report.inputs.flatMap(fixedLines),
    ...report.compared.map(trialLine),
    blocked === undefined
      ? `it runs without Python: sconce serve ${output}`
      : `it still needs Python: ${blocked}`,
  ];
  return `${lines.join("\n")}\n`;
}

function dimText(dim: ExportedInput["dims"][number]): string {
  return typeof dim === "number" ? String(dim) : dim.symbol;
}

/** PyTorch made a constant of a size that was to be free. */
function fixedLines({ name, fixed, dims }: ExportedInput): string[] {
  return fixed.map(
    (axis) =>
      `  ${name}: dimension ${axis} (${dimText(dims[axis]!)}) came out as a constant, since the code makes one of it; TORCH_LOGS=+dynamic shows where`,
  );
}

function trialLine({ shapes, error, refused }: ExportTrial): string {
  const sizes = shapes.map((shape) => `[${shape.join(", ")}]`).join(" ");
  if (refused !== undefined) return `  ${sizes}: the exported program refuses this size: ${refused}`;
  if (error === undefined || error < 0)
    return `  ${sizes}: the exported program gives something else than the code`;
  return error === 0
    ? `  ${sizes}: equal to the code, to the last bit`
    : `  ${sizes}: equal to the code within ${error.toPrecision(2)}`;
}
