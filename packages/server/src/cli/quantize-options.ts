/** Options of `sconce quantize`. */
export const QUANTIZE_OPTIONS = {
  int8: {
    kind: "flag",
    default: false,
    doc: "8-bit weights and activations in matrix products and convolutions; activations are measured at every run.",
  },
  static: {
    kind: "flag",
    default: false,
    doc: "With --int8: measure activations once, on --calibration, instead of at every run. Fastest for convolutions.",
  },
  calibration: {
    kind: "texts",
    default: [],
    doc: "JSON files or folders of typical inputs for --static, written as for --input.",
  },
  ranges: {
    kind: "text",
    default: "minmax",
    doc: "What --static takes for the range of an activation: minmax, or percentile=99.99 to cut off the rest as outliers.",
  },
  int4: { kind: "flag", default: false, doc: "4-bit weights in matrix products; activations stay float." },
  int8Weights: {
    kind: "flag",
    default: false,
    doc: "8-bit weights in matrix products; activations stay float.",
  },
  fp16: {
    kind: "flag",
    default: false,
    doc: "16-bit weights: half the file, the same speed, hardly any error.",
  },
  output: { kind: "text", default: null, doc: "The ONNX file to write (-o)." },
  blockSize: {
    kind: "integer",
    min: 16,
    max: 256,
    default: 32,
    doc: "Weights that share a scale with --int4 and --int8-weights: 16, 32, 64, 128 or 256. Smaller is closer and larger.",
  },
  exclude: {
    kind: "texts",
    default: [],
    doc: "Names of weights to leave alone, as the report shows them, separated by commas.",
  },
  reduceRange: {
    kind: "flag",
    default: false,
    doc: "7-bit weights with --int8, for CPUs without VNNI, where sums of 8-bit products can overflow.",
  },
  input: {
    kind: "texts",
    default: [],
    doc: "JSON files (or folders of them) to compare on: a /predict body, its value, or an Open Inference Protocol body. Default: made-up inputs.",
  },
  maxBatchSize: {
    kind: "integer",
    min: 1,
    max: 65_536,
    default: 32,
    doc: "Most rows of a run while comparing, as max_batch_size of the server: larger inputs are cut.",
  },
  seed: { kind: "integer", min: 0, max: 4_294_967_295, default: 0, doc: "Seed of the made-up inputs." },
  maxError: {
    kind: "number",
    min: 0,
    max: 1e12,
    default: null,
    doc: "Fail (exit code 1), and write nothing, when an output differs by more than this anywhere.",
  },
  json: { kind: "flag", default: false, doc: "Print the report as JSON." },
} as const;
