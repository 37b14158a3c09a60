/** Options of `sconce predict`. */
export const PREDICT_OPTIONS = {
  input: {
    kind: "text",
    default: null,
    doc: "JSON (a value, a /predict body, or an Open Inference Protocol body), an image (PNG, JPEG, WebP; its pixels are divided by 255, unless the model takes UINT8: no mean, no deviation), or - for JSON on standard input.",
  },
  url: {
    kind: "text",
    default: "http://127.0.0.1:8080",
    doc: "The server to ask, when MODEL is a name and not a file.",
  },
  resize: {
    kind: "flag",
    default: false,
    doc: "Scale an image to the model's size instead of rejecting it.",
  },
  json: { kind: "flag", default: false, doc: "Print the answer as JSON only." },
} as const;
