/** An answer of `/predict` for people: one line per output, with its shape and, for a row of numbers, the largest entries. */
export function resultText(prediction: unknown): string {
  const outputs =
    typeof prediction === "object" && prediction !== null && !Array.isArray(prediction)
      ? Object.entries(prediction)
      : [["prediction", prediction] as const];
  return outputs.map(([name, value]) => `${name}${outputLine(value)}\n`).join("");
}

const SHOWN = 3;

function outputLine(value: unknown): string {
  const shape = shapeOf(value);
  if (shape.length === 0) return `  ${JSON.stringify(value)}`;
  const isRow =
    shape.length === 1 && shape[0]! > 1 && Array.isArray(value) && value.every((v) => typeof v === "number");
  if (!isRow) return `  [${shape.join(", ")}]  ${JSON.stringify(value).slice(0, 200)}`;
  const top = (value as number[])
    .map((score, index) => ({ score, index }))
    .sort((a, b) => b.score - a.score)
    .slice(0, SHOWN);
  return `  [${shape[0]}]  largest: ${top.map(({ score, index }) => `${index} (${score.toPrecision(4)})`).join(", ")}`;
}

function shapeOf(value: unknown): number[] {
  return Array.isArray(value) ? [value.length, ...shapeOf(value[0])] : [];
}
