/** Options of `sconce keys`. */
export const KEYS_OPTIONS = {
  apiKeys: {
    kind: "text",
    default: null,
    doc: "The file of keys, as sconce serve takes it; add makes it.",
  },
  name: {
    kind: "text",
    default: null,
    doc: "Whose key it is: ci, or mobile-app. Shown in logs and counted as a tenant; the key itself never is.",
  },
  models: {
    kind: "texts",
    default: ["*"],
    doc: "Names of models that it is for, with * for any text: 'resnet*,digits'.",
  },
  scope: {
    kind: "texts",
    default: ["infer"],
    doc: "What it is for: infer (use models and read what they are), metrics, admin (load and unload).",
  },
  rate: {
    kind: "text",
    default: null,
    doc: "Requests that it may send on average, such as 100/s or 6000/m; more are rejected with 429.",
  },
  expires: {
    kind: "text",
    default: null,
    doc: "When it stops working: a time such as 2027-01-31T00:00:00Z, or days from now such as 90d. Default: never.",
  },
  url: { kind: "text", default: "http://127.0.0.1:8080", doc: "The running server, of usage." },
  json: { kind: "flag", default: false, doc: "Print JSON." },
} as const;
