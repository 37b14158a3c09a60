/** Options of `sconce profile`; the options of a model come beside them. */
export const PROFILE_OPTIONS = {
  runs: {
    kind: "integer",
    min: 1,
    max: 200,
    default: 10,
    doc: "Runs that are measured; figures are means over the faster half of them. A few more come first and do not count.",
  },
  rows: { kind: "integer", min: 1, max: 65_536, default: 1, doc: "Rows in the made-up input." },
  size: {
    kind: "integer",
    min: 1,
    max: 1_000_000,
    default: 128,
    doc: "Size of every other variable dimension of the made-up input, such as a text's length.",
  },
  input: {
    kind: "text",
    default: null,
    doc: "A JSON file to run on. Default: made up from the signature.",
  },
  depth: {
    kind: "integer",
    min: 1,
    max: 64,
    default: 4,
    doc: "How many levels of modules are printed.",
  },
  least: {
    kind: "number",
    min: 0,
    max: 100,
    default: 1,
    doc: "Percent of a run below which a line is not printed.",
  },
  flame: {
    kind: "text",
    default: null,
    doc: "A file for a flame graph, which https://www.speedscope.app shows without uploading it.",
  },
  server: {
    kind: "text",
    default: null,
    doc: "Instead of a model, the server at this URL itself: records what its process spends its time on. It must run with --allow-profile and --model-control explicit; the administrator's token comes as SCONCE_API_KEY or in --api-key-file.",
  },
  seconds: { kind: "integer", min: 1, max: 30, default: 5, doc: "How long --server is recorded." },
  output: { kind: "text", default: null, doc: "The .cpuprofile file that --server writes (-o)." },
  json: { kind: "flag", default: false, doc: "Print everything as JSON." },
} as const;
