/** Options of `sconce tune`; the options of a model come beside them. */
export const TUNE_OPTIONS = {
  slo: {
    kind: "text",
    default: null,
    doc: "The latency to keep: p99=50ms, or several with commas (mean, p50, p90, p95, p99, p999, max).",
  },
  rate: {
    kind: "number",
    min: 0.1,
    max: 1_000_000,
    default: null,
    doc: "Requests per second that arrive at their own times: looks for the lowest latency at this rate.",
  },
  maxThroughput: {
    kind: "flag",
    default: false,
    doc: "Looks for the most requests per second that keep the goal, with as many connections as that takes. So it is without --rate.",
  },
  maxError: {
    kind: "text",
    default: null,
    doc: "Lets precision change: answers may differ by this share of the largest value of an output, such as 1e-2. Unset: answers stay as they are.",
  },
  budgetMs: {
    kind: "duration",
    min: 1000,
    max: 86_400_000,
    default: 120_000,
    doc: "When the search has to be done. What is being measured then is finished.",
  },
  windowMs: {
    kind: "duration",
    min: 50,
    max: 600_000,
    default: 1000,
    doc: "How long one measurement takes. A model that takes long needs a longer one: p99 of ten answers is the slowest of them.",
  },
  rounds: {
    kind: "integer",
    min: 3,
    max: 100,
    default: 5,
    doc: "How often the best settings and the present ones are measured in turn at the end.",
  },
  maxConnections: {
    kind: "integer",
    min: 1,
    max: 1000,
    default: 128,
    doc: "Most connections that are tried.",
  },
  protocol: {
    kind: "choice",
    choices: ["json", "binary", "predict", "grpc", "grpc-stream"],
    default: "json",
    doc: "How requests of the load are spelled.",
  },
  input: { kind: "text", default: null, doc: "A JSON file to send. Default: made up from the signature." },
  rows: { kind: "integer", min: 1, max: 65_536, default: 1, doc: "Rows in a made-up request." },
  size: {
    kind: "integer",
    min: 1,
    max: 1_000_000,
    default: 32,
    doc: "Size of every other variable dimension in a made-up request.",
  },
  write: {
    kind: "flag",
    default: false,
    doc: "Write the settings to model.yaml where they were better. Without it they are shown as a diff.",
  },
  json: { kind: "flag", default: false, doc: "Print everything as JSON." },
} as const;
