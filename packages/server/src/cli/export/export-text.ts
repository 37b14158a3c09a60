import { sizeText } from "../size-text.ts";
import type { ExportDone } from "./export-model.ts";
import type { ExportedInput, ExportTrial } from "./run-export.ts";
import type { TranslatedRuns } from "./translated-trials.ts";

/** The largest difference that counts as equal, relative to 1 plus the value. */
export const EXPORT_TOLERANCE = 1e-4;

/** What was done, for people. */
export function exportText(done: ExportDone): string {
  const { output, bytes, report } = done;
  const lines = [
    `${output}  ${sizeText(bytes)}, ${report.parameters.toLocaleString("en")} parameters, exported by PyTorch ${report.torch}`,
    ...report.inputs.map(
      (input) => `  ${input.name}: ${input.datatype} [${input.dims.map(dimText).join(", ")}]`,
    ),
    ...report.inputs.flatMap(fixedLines),
    ...report.notes.map((note) => `  ${note}`),
    ...report.compared.map(trialLine),
    ...runLines(done),
    ...verdictLines(done),
  ];
  return `${lines.join("\n")}\n`;
}

/** Whether what runs without Python answers as the code does; true where nothing does. */
export function equalsCode({ translated }: Pick<ExportDone, "translated">): boolean {
  return translated === undefined || (translated.error <= EXPORT_TOLERANCE && translated.failed.length === 0);
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
  const sizes = shapesText(shapes);
  if (refused !== undefined) return `  ${sizes}: the exported program refuses this size: ${refused}`;
  if (error === undefined || error < 0)
    return `  ${sizes}: the exported program gives something else than the code`;
  return error === 0
    ? `  ${sizes}: equal to the code, to the last bit`
    : `  ${sizes}: equal to the code within ${error.toPrecision(2)}`;
}

function shapesText(shapes: ExportTrial["shapes"]): string {
  return shapes.map((shape) => `[${shape.join(", ")}]`).join(" ");
}

/** Sizes, speed and differences of the forms beside each other. */
function runLines({ bytes, report, translated, int8 }: ExportDone): string[] {
  const [first] = report.compared.filter(({ codeMs }) => codeMs !== undefined);
  if (translated === undefined || first?.codeMs === undefined) return [];
  return [
    `for ${shapesText(first.shapes)}, on this machine:`,
    row("the code, by PyTorch", "", first.codeMs, undefined),
    row("without Python", sizeText(bytes), translated.ms, translated),
    ...(int8 === undefined
      ? []
      : "why" in int8
        ? [`  in 8 bits: ${int8.why}`]
        : [
            row("in 8 bits", sizeText(int8.bytes), int8.runs.ms, int8.runs),
            `  in 8 bits it is ${int8.output}`,
          ]),
  ];
}

function row(
  what: string,
  size: string,
  ms: number | undefined,
  runs: Pick<TranslatedRuns, "error"> | undefined,
): string {
  const time = ms === undefined ? "" : `${ms.toPrecision(3)} ms`;
  const off = runs === undefined ? "" : runs.error === 0 ? "equal" : `off by ${runs.error.toPrecision(2)}`;
  return `  ${what.padEnd(28)} ${size.padStart(10)} ${time.padStart(10)}  ${off}`.trimEnd();
}

function verdictLines(done: ExportDone): string[] {
  const { output, blocked, translated } = done;
  if (translated === undefined) return [`it still needs Python: ${blocked}`];
  const failed = translated.failed.map(
    ({ shapes, why }) => `  without Python ${shapesText(shapes)} fails: ${why}`,
  );
  if (!equalsCode(done))
    return [
      ...failed,
      `it runs without Python, but not as the code does${translated.words === "" ? "" : `: ${translated.words}`}; sconce verify ${output} shows where`,
    ];
  return [
    `it runs without Python, and answers as the code does (${translated.sizes} ${translated.sizes === 1 ? "size" : "sizes"}): sconce serve ${output}`,
  ];
}
