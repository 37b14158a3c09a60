/** Options of `sconce why`; the options of a model come beside them. */
export const WHY_OPTIONS = {
  url: {
    kind: "text",
    default: "http://127.0.0.1:8080",
    doc: "The server that runs the model, when MODEL is a name and not a file.",
  },
  windowMs: {
    kind: "duration",
    min: 100,
    max: 3_600_000,
    default: 10_000,
    doc: "How long the server's own figures are gathered, while its clients use it.",
  },
  load: {
    kind: "flag",
    default: false,
    doc: "Put a short load on the model instead of waiting for clients; always so when MODEL is a file.",
  },
  connections: {
    kind: "integer",
    min: 1,
    max: 1000,
    default: 8,
    doc: "Connections of that load, each with one request at a time.",
  },
  protocol: {
    kind: "choice",
    choices: ["json", "binary", "predict", "grpc", "grpc-stream"],
    default: "json",
    doc: "How requests of that load are spelled.",
  },
  requests: {
    kind: "integer",
    min: 1,
    max: 1_000_000,
    default: 2000,
    doc: "A load ends after this many requests, or after --window.",
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
  try: {
    kind: "flag",
    default: false,
    doc: "Try the remedies that can be tried, each in a private server, in turn with the model as it is. Needs MODEL to be a file.",
  },
  allowRemote: {
    kind: "flag",
    default: false,
    doc: "Let --load reach a server that is not on this machine.",
  },
  json: { kind: "flag", default: false, doc: "Print everything as JSON." },
} as const;
