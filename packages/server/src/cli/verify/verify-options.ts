/** Options of `sconce verify`. */
export const VERIFY_OPTIONS = {
  input: {
    kind: "texts",
    default: [],
    doc: "JSON files to ask with besides (a value, a /predict body, or an Open Inference Protocol body), or folders of them.",
  },
  tolerance: {
    kind: "number",
    min: 0,
    max: 1,
    default: 0.0001,
    doc: "The largest difference that counts as equal, divided by 1 plus the value that PyTorch gives.",
  },
  seed: { kind: "integer", min: 0, max: 4_294_967_295, default: 1, doc: "Repeats what is made up." },
  python: {
    kind: "text",
    default: null,
    doc: "Python interpreter with PyTorch, or the folder of a virtual environment. Default: .venv beside the model, then python3.",
  },
  json: { kind: "flag", default: false, doc: "Print the verdict as JSON only." },
} as const;
