/** Options of `sconce export`. */
export const EXPORT_OPTIONS = {
  output: { kind: "text", default: null, doc: "The .pt2 file to write (-o)." },
  python: {
    kind: "text",
    default: null,
    doc: "Python interpreter with PyTorch, or the folder of a virtual environment. Default: .venv beside the model, then python3.",
  },
  int8: {
    kind: "flag",
    default: false,
    doc: "Write the model with 8-bit weights and activations as well, OUT-int8.onnx, and show both beside each other.",
  },
  json: { kind: "flag", default: false, doc: "Print what was done as JSON only." },
} as const;
