/** What came of one export. */
export type ExportVerdict =
  | {
      /** Without Python it answers as the code does, or not. */
      readonly kind: "equal" | "different";
      readonly error: number;
      /** Sizes that were compared, and those of them that the exported program refuses. */
      readonly sizes: number;
      readonly refused: number;
      /** The inputs with their sizes: a name is free, a number behind it is what a free size became. */
      readonly inputs: string;
      readonly words: string;
    }
  /** It is a .pt2, which needs Python. */
  | { readonly kind: "blocked"; readonly why: string }
  /** There is no .pt2. */
  | { readonly kind: "refused"; readonly why: string };

/** What `sconce export --json` prints. */
export interface PrintedExport {
  readonly blocked?: string;
  readonly report: {
    readonly inputs: readonly {
      readonly name: string;
      readonly datatype: string;
      readonly dims: readonly (number | { readonly symbol: string })[];
      readonly fixed: readonly number[];
    }[];
    readonly compared: readonly { readonly refused?: string }[];
  };
  readonly translated?: {
    /** Null: infinite, which JSON does not have. */
    readonly error: number | null;
    readonly words: string;
    readonly sizes: number;
    readonly failed: readonly { readonly why: string }[];
  };
}

const TOLERANCE = 1e-4;

export function verdictOf({ blocked, report, translated }: PrintedExport): ExportVerdict {
  if (translated === undefined) return { kind: "blocked", why: blocked ?? "" };
  const error = translated.error ?? Number.POSITIVE_INFINITY;
  const failed = translated.failed.map(({ why }) => why);
  return {
    kind: error <= TOLERANCE && failed.length === 0 ? "equal" : "different",
    error,
    sizes: translated.sizes,
    refused: report.compared.filter(({ refused }) => refused !== undefined).length,
    inputs: report.inputs.map(inputText).join(", "),
    words: [translated.words, ...failed].filter((words) => words !== "").join("; "),
  };
}

function inputText({ name, dims, fixed }: PrintedExport["report"]["inputs"][number]): string {
  const sizes = dims.map((dim, axis) =>
    typeof dim === "number" ? dim : fixed.includes(axis) ? `${dim.symbol} (a constant)` : dim.symbol,
  );
  return `${name} [${sizes.join(", ")}]`;
}
