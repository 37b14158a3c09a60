import type { OptionValues } from "./option.ts";

/** The server's options. Each is a flag, an environment variable and a key of the configuration file. */
export const SERVER_OPTIONS = {
  host: {
    kind: "text",
    default: "127.0.0.1",
    doc: "Address to listen on. Anything but a loopback address is refused without --insecure, because this release has neither TLS nor authentication of its own: put it behind a proxy that has both.",
  },
  port: {
    kind: "integer",
    min: 0,
    max: 65535,
    default: 8080,
    doc: "Port for REST and gRPC together. 0 takes a free one and prints it.",
  },
  insecure: {
    kind: "flag",
    default: false,
    doc: "Allow listening on a public address without TLS and authentication.",
  },
  modelControl: {
    kind: "choice",
    choices: ["none", "poll", "explicit"],
    default: "none",
    doc: "none: load everything once. poll: watch the folders and follow changes. explicit: load and unload by request only.",
  },
  loadModels: {
    kind: "texts",
    default: [],
    doc: "With --model-control explicit: models that are loaded at start.",
  },
  pollIntervalMs: {
    kind: "duration",
    min: 100,
    max: 3_600_000,
    default: 2000,
    doc: "How often --model-control poll looks at the folders. A change must hold still for two looks before it is acted on.",
  },
  adminToken: {
    kind: "text",
    default: null,
    doc: "Bearer token for load and unload under --model-control explicit. Required there. Prefer the environment variable: flags show in process lists.",
  },
  readiness: {
    kind: "choice",
    choices: ["strict", "settled"],
    default: "strict",
    doc: "strict: ready once every model is up. settled: ready once every model was tried; broken ones are only listed.",
  },
  notReadyStatus: {
    kind: "choice",
    choices: ["503", "400"],
    default: "503",
    doc: "Status of the readiness endpoints while not ready: 503 as KServe and Kubernetes expect, 400 as Triton answers.",
  },
  lazyLoading: {
    kind: "flag",
    default: false,
    doc: "Load a model at its first request instead of at start.",
  },
  maxLoadedModels: {
    kind: "integer",
    min: 1,
    max: 100_000,
    default: null,
    doc: "With --lazy-loading: how many models stay loaded; the least recently used one makes room. No limit when unset.",
  },
  modelMemoryBudgetBytes: {
    kind: "bytes",
    min: 1,
    max: 1_125_899_906_842_624,
    default: null,
    doc: "With --lazy-loading: weight bytes of all loaded models together; the least recently used one makes room. No limit when unset.",
  },
  loadConcurrency: {
    kind: "integer",
    min: 1,
    max: 64,
    default: 2,
    doc: "How many models load at the same time.",
  },
  spareWorkers: {
    kind: "integer",
    min: 0,
    max: 64,
    default: 1,
    doc: "Worker processes kept started and idle, so that a load or a restart skips process start-up.",
  },
  maxBodyBytes: {
    kind: "bytes",
    min: 1024,
    max: 2_147_483_647,
    default: 67_108_864,
    doc: "Largest request body or gRPC message, after decompression.",
  },
  maxInFlightBytes: {
    kind: "bytes",
    min: 1_048_576,
    max: 1_125_899_906_842_624,
    default: null,
    doc: "Bytes of all request bodies in flight together; past it requests are refused with 503. Default: a quarter of the memory limit.",
  },
  maxConnections: {
    kind: "integer",
    min: 1,
    max: 1_000_000,
    default: 10_000,
    doc: "Open connections in all.",
  },
  maxConnectionsPerAddress: {
    kind: "integer",
    min: 1,
    max: 1_000_000,
    default: 64,
    doc: "Open connections from one address. Loopback and --trusted-proxies are exempt.",
  },
  trustedProxies: {
    kind: "texts",
    default: [],
    doc: "Addresses of proxies, whose one address carries everybody's connections.",
  },
  tenantHeader: {
    kind: "text",
    default: null,
    doc: "Header (REST) and metadata key (gRPC) that names whose request it is. Tenants take turns in every queue, and do not share cached answers. Set it only behind a proxy that authenticates clients and sets this header itself: a client that could choose its name could take many turns.",
  },
  requestTimeoutMs: {
    kind: "duration",
    min: 100,
    max: 3_600_000,
    default: 60_000,
    doc: "Time a client has to send a whole request.",
  },
  connectionAgeMs: {
    kind: "duration",
    min: 1000,
    max: 86_400_000,
    default: 300_000,
    doc: "gRPC connections are asked to reconnect after this long (± 10 %), so that load spreads after scaling out.",
  },
  drainDelayMs: {
    kind: "duration",
    min: 0,
    max: 600_000,
    default: 0,
    doc: "After SIGTERM: how long new requests are still taken while readiness already says 503. On Kubernetes set 5s.",
  },
  drainTimeoutMs: {
    kind: "duration",
    min: 0,
    max: 3_600_000,
    default: 30_000,
    doc: "After SIGTERM: how long requests in flight may take before they are cut off.",
  },
  logLevel: {
    kind: "choice",
    choices: ["debug", "info", "warn", "error", "silent"],
    default: "info",
    doc: "What is logged, as JSON lines on standard error.",
  },
  config: {
    kind: "text",
    default: null,
    doc: "YAML file with any of these options, and model defaults under `models:`.",
  },
} as const;

export type ServerConfig = OptionValues<typeof SERVER_OPTIONS>;
