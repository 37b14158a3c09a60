/** Options of `sconce rollout`. */
export const ROLLOUT_OPTIONS = {
  url: { kind: "text", default: "http://127.0.0.1:8080", doc: "The server to ask." },
  version: { kind: "text", default: null, doc: "The new version, of start." },
  share: {
    kind: "text",
    default: null,
    doc: "Steps of start, such as '5%, 25%', or the share to advance to. Default: what model.yaml says, else 5%, 25%, 50%.",
  },
  window: { kind: "text", default: null, doc: "How long a step of start lasts at least, such as 5m." },
  minRequests: {
    kind: "integer",
    min: 1,
    max: 999_999_999,
    default: null,
    doc: "Requests that the new version must have had before a step of start ends well.",
  },
  promotion: {
    kind: "text",
    default: null,
    doc: "automatic, or manual: the last step of start lasts until somebody promotes.",
  },
  json: { kind: "flag", default: false, doc: "Print what the server says, as JSON." },
} as const;
