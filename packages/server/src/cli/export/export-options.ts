/** Options of `sconce export`. */
export const EXPORT_OPTIONS = {
  output: { kind: "text", default: null, doc: "The .pt2 file to write (-o)." },
  python: {
    kind: "text",
    default: null,
    doc: "Python interpreter with PyTorch, or the folder of a virtual environment. Default: .venv beside the model, then python3.",
  },
  json: { kind: "flag", default: false, doc: "Print what was done as JSON only." },
} as const;
