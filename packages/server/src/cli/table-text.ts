/** Rows whose columns stand under each other, the first row being their names. */
export function tableText(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) => {
      const cells = row.map((cell, column) => cell.padEnd(widths[column]!));
      return `${cells.join("  ").trimEnd()}\n`;
    })
    .join("");
}
