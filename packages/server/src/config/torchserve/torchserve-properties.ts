import { ServeError } from "../../base/errors.ts";
import { parseProperties } from "./properties-text.ts";
import { readAddresses } from "./torchserve-addresses.ts";
import { shown } from "./torchserve-model-keys.ts";
import { readLoadModels, readTorchserveModels, type StartupModel } from "./torchserve-models.ts";
import type { TorchserveRow } from "./torchserve-row.ts";

/** What a config.properties of TorchServe says. */
export interface TorchserveProperties {
  /** Keys of sconce.yaml, `models:` among them. */
  readonly values: Readonly<Record<string, unknown>>;
  /** What becomes of each key, in the order of the file; those of single models behind. */
  readonly rows: readonly TorchserveRow[];
  readonly modelStore: string | undefined;
  /** The models that are served from the start; undefined: it does not say. */
  readonly startup: readonly StartupModel[] | "all" | undefined;
  /** Keys of model.yaml, by model. */
  readonly modelSettings: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
  /** Whether callers need the tokens of TorchServe's file of keys. */
  readonly hasTokens: boolean;
  /** Whether requests may register and unregister models. */
  readonly hasModelApi: boolean;
}

interface Made {
  readonly outcome: TorchserveRow["outcome"];
  readonly server?: Readonly<Record<string, unknown>>;
  readonly models?: Readonly<Record<string, unknown>>;
  readonly note?: string;
}

type ReadKey = (value: string, properties: ReadonlyMap<string, string>) => Made;

/** In the current folder, where TorchServe makes it. */
const KEY_FILE = "key_file.json";
const MOST_TOKEN_MINUTES = 24 * 24 * 60;
const ENVELOPES = ["body", "json", "kserve", "kservev2"];
const JAVA = "threads and memory of Java";
const WITHIN = "what all ports share: --host, --port, --torchserve-ports";
const OWN_METRICS = "the metrics of a request are always there, for Prometheus, on the metrics port";

const KEYS: Readonly<Record<string, ReadKey>> = {
  inference_address: same(""),
  management_address: same(""),
  metrics_address: same(""),
  grpc_inference_address: same(""),
  grpc_management_address: same(""),
  grpc_inference_port: same(""),
  grpc_management_port: same(""),
  model_store: same("the PATH of sconce serve, where none is given"),
  load_models: same("these archives are served"),
  models: same("see below"),
  model_snapshot: same("the models of the snapshot are served"),
  default_workers_per_model: count((workers) => ({ models: { instances: workers } })),
  default_response_timeout: count((seconds) => ({ models: { execution_timeout: `${seconds}s` } })),
  default_startup_timeout: count((seconds) => ({ models: { load_timeout: `${seconds}s` } })),
  unregister_model_timeout: idle("requests in flight finish within drain_timeout"),
  job_queue_size: count((jobs) => ({ models: { max_queue_size: jobs } })),
  number_of_gpu: (value) =>
    value.trim() === "0"
      ? { outcome: "same", models: { device: "cpu" } }
      : {
          outcome: "other",
          note: "all CUDA devices that PyTorch sees are used: name them with device: cuda:0,cuda:1",
        },
  max_request_size: count((bytes) => ({
    server: { max_body: Math.min(2_147_483_647, Math.max(1024, bytes)) },
  })),
  max_response_size: idle("the size of answers has no limit over REST, over gRPC that of max_body"),
  cors_allowed_origin: (value) => ({
    outcome: "same",
    server: { cors_origins: value.split(",").map((origin) => origin.trim()) },
  }),
  cors_allowed_methods: idle("pages of allowed origins may use every method and header"),
  cors_allowed_headers: idle("pages of allowed origins may use every method and header"),
  allowed_urls: (value) =>
    /https?|s3/i.test(value)
      ? {
          outcome: "none",
          note: "nothing is fetched: put the archive into the model store, and register it by its name",
        }
      : { outcome: "idle", note: "archives are registered from the model store" },
  use_env_allowed_urls: idle(),
  install_py_dep_per_model: (value) =>
    isTrue(value)
      ? {
          outcome: "none",
          note: "nothing is installed: an archive whose packages are missing is refused with their names; install them where --python finds them",
        }
      : { outcome: "same" },
  enable_envvars_config: same("variables TS_… come before this file"),
  private_key_file: (value, properties) => tls(value, properties, "tls_key"),
  certificate_file: (value, properties) => tls(value, properties, "tls_cert"),
  keystore: keystore(),
  keystore_pass: keystore(),
  keystore_type: keystore(),
  enable_grpc_ssl: (value, properties) =>
    isTrue(value) === usesTls(properties)
      ? { outcome: "same" }
      : { outcome: "other", note: "all ports speak TLS, or none does, as inference_address says" },
  disable_token_authorization: (value) =>
    isTrue(value)
      ? { outcome: "same", note: "what changes models still needs a token: SCONCE_ADMIN_TOKEN" }
      : { outcome: "same" },
  token_expiration_min: (value, properties) => {
    const made = count((minutes) => ({
      server: { token_expiration: `${Math.min(MOST_TOKEN_MINUTES, minutes)}m` },
    }))(value, properties);
    if (Number(value) <= MOST_TOKEN_MINUTES) return made;
    return { ...made, outcome: "other", note: "tokens are good for 24 days at most" };
  },
  enable_model_api: (value) =>
    isTrue(value) ? { outcome: "same", server: { model_control: "explicit" } } : { outcome: "same" },
  enable_metrics_api: (value) =>
    isTrue(value) ? { outcome: "same" } : { outcome: "other", note: OWN_METRICS },
  metrics_mode: (value) =>
    value.trim().toLowerCase() === "prometheus"
      ? { outcome: "same" }
      : { outcome: "other", note: `${OWN_METRICS}; nothing goes to a log` },
  metrics_config: (value) => ({ outcome: "same", server: { torchserve_metrics: value.trim() } }),
  model_metrics_auto_detect: (value) =>
    isTrue(value)
      ? { outcome: "same" }
      : { outcome: "other", note: "what handlers report is shown, declared or not" },
  disable_system_metrics: idle("the host's metrics are left to node_exporter"),
  system_metrics_cmd: none("the host's metrics are left to node_exporter"),
  metric_time_interval: idle(),
  limit_max_image_pixels: (value) =>
    isTrue(value)
      ? { outcome: "same" }
      : { outcome: "none", note: "images of more pixels than Pillow takes are refused" },
  decode_input_request: (value) =>
    isTrue(value)
      ? { outcome: "same" }
      : { outcome: "other", note: "JSON and text are decoded before the handler sees them" },
  service_envelope: (value) =>
    ENVELOPES.includes(value.trim())
      ? { outcome: "same", models: { envelope: value.trim() } }
      : { outcome: "none", note: `known are ${ENVELOPES.join(", ")}` },
  default_service_handler: none("an archive's own handler is used"),
  workflow_store: (value) => ({ outcome: "same", server: { workflow_store: value.trim() } }),
  plugins_path: none("plug-ins for TorchServe's Java are not loaded"),
  ts_open_inference_protocol: same("the Open Inference Protocol is on every inference port"),
  ts_header_key_sequence_id: none("sequences have TorchServe's usual header, ts_request_sequence_id"),
  ts_header_key_sequence_start: none("sequences have TorchServe's usual header, ts_request_sequence_id"),
  ts_header_key_sequence_end: none("sequences have TorchServe's usual header, ts_request_sequence_id"),
  grpc_inference_max_connection_age_ms: count((ms) => ({
    server: { connection_age: Math.min(86_400_000, Math.max(1000, ms)) },
  })),
  grpc_management_max_connection_age_ms: idle(`as grpc_inference_max_connection_age_ms: ${WITHIN}`),
  grpc_inference_max_connection_age_grace_ms: idle("calls in progress always finish"),
  grpc_management_max_connection_age_grace_ms: idle("calls in progress always finish"),
  ipex_enable: idle("PyTorch's own kernels are used"),
  ipex_gpu_enable: none("devices are cpu and cuda"),
  cpu_launcher_enable: idle("threads are divided among workers: instances and threads in model.yaml"),
  cpu_launcher_args: idle("threads are divided among workers: instances and threads in model.yaml"),
  blacklist_env_vars: none("handlers see the server's environment: leave out of it what they must not see"),
  number_of_netty_threads: idle(JAVA),
  netty_client_threads: idle(JAVA),
  prefer_direct_buffer: idle(JAVA),
  use_native_io: idle(JAVA),
  io_ratio: idle(JAVA),
  vmargs: idle(JAVA),
  async_logging: idle("the log never waits"),
  cpp_log_config: idle(),
  initial_worker_port: idle("workers have no ports"),
  initial_distribution_port: idle("workers have no ports"),
  model_server_home: idle(),
  snapshot_store: none(
    "what was registered by requests is not kept over a restart: load_models says what is served",
  ),
  version: idle(),
  tsConfigFile: idle(),
  python: none("give it as --python"),
};

/**
 * What a config.properties says, with variables `TS_…` over it where it allows them. Throws `invalid_argument`/`bad_config_file` for what TorchServe would
 * not read either, and for TLS without a certificate that can be used.
 */
export function readTorchserveProperties(
  text: string,
  name: string,
  env: Readonly<Record<string, string | undefined>> = {},
): TorchserveProperties {
  const properties = withVariables(parseProperties(text, name), env);
  const { settings, isTls, isMixed } = readAddresses(properties, name);
  if (isTls) requireCertificate(properties, name);
  const server: Record<string, unknown> = { compat: "torchserve", ...settings };
  const hasTokens = !isTrue(properties.get("disable_token_authorization") ?? "");
  if (hasTokens) server["torchserve_tokens"] = KEY_FILE;
  const models: Record<string, unknown> = {};
  const rows: TorchserveRow[] = [];
  for (const [key, value] of properties) {
    const read = Object.hasOwn(KEYS, key) ? KEYS[key]! : none("TorchServe 0.12 does not know it either");
    const made = read(value, properties);
    Object.assign(server, made.server);
    Object.assign(models, made.models);
    const note = isMixed && key.endsWith("_address") ? "all ports speak TLS, since one does" : made.note;
    rows.push({
      key,
      value,
      outcome: isMixed && key.endsWith("_address") ? "other" : made.outcome,
      becomes: shown({ ...made.server, ...made.models, ...addressShown(key, settings) }),
      note: note ?? "",
    });
  }
  // Good for minutes, of tokens that nobody is asked for.
  if (!hasTokens) delete server["token_expiration"];
  const own = readTorchserveModels(properties, name);
  return {
    values: { ...server, ...(Object.keys(models).length > 0 && { models }) },
    rows: [...rows, ...own.rows],
    modelStore: properties.get("model_store"),
    startup: own.startup ?? readLoadModels(properties.get("load_models")),
    modelSettings: own.settings,
    hasTokens,
    hasModelApi: isTrue(properties.get("enable_model_api") ?? ""),
  };
}

/** `TS_JOB_QUEUE_SIZE` over `job_queue_size`, with `enable_envvars_config=true`; `$$NAME$$` in values are variables in any case. */
function withVariables(
  properties: ReadonlyMap<string, string>,
  env: Readonly<Record<string, string | undefined>>,
): ReadonlyMap<string, string> {
  const all = new Map<string, string>();
  for (const [key, value] of properties)
    all.set(
      key,
      value.replace(/\$\$([^$]+)\$\$/g, (whole, variable: string) => env[variable] ?? whole),
    );
  if (!isTrue(properties.get("enable_envvars_config") ?? "")) return all;
  for (const key of Object.keys(KEYS)) {
    const value = env[key.startsWith("ts_") ? key.toUpperCase() : `TS_${key.toUpperCase()}`];
    if (value !== undefined) all.set(key, value);
  }
  return all;
}

const PORTS: Readonly<Record<string, number>> = {
  management_address: 0,
  metrics_address: 1,
  grpc_inference_address: 2,
  grpc_inference_port: 2,
  grpc_management_address: 3,
  grpc_management_port: 3,
};

/** Which of the settings an address is. */
function addressShown(
  key: string,
  {
    host,
    port,
    torchserve_ports: ports,
    torchserve_hosts: hosts,
  }: ReturnType<typeof readAddresses>["settings"],
): Record<string, unknown> {
  if (key === "inference_address") return { host, port };
  const index = PORTS[key];
  return index === undefined ? {} : { torchserve_ports: `${hosts?.[index] ?? host}:${ports[index]}` };
}

function usesTls(properties: ReadonlyMap<string, string>): boolean {
  return ["inference_address", "management_address", "metrics_address"].some((key) =>
    /^https:/i.test(properties.get(key) ?? ""),
  );
}

function requireCertificate(properties: ReadonlyMap<string, string>, name: string): void {
  if (properties.has("private_key_file") && properties.has("certificate_file")) return;
  const how = properties.has("keystore")
    ? "a keystore of Java is not read: openssl pkcs12 -in KEYSTORE -nodes -out both.pem gives the PEM files that private_key_file and certificate_file name"
    : "private_key_file and certificate_file must name PEM files";
  throw new ServeError("invalid_argument", `${name} has an address that begins with https://, and ${how}`, {
    reason: "bad_config_file",
  });
}

function tls(value: string, properties: ReadonlyMap<string, string>, key: string): Made {
  if (usesTls(properties)) return { outcome: "same", server: { [key]: value } };
  return { outcome: "idle", note: "no address begins with https://" };
}

function keystore(): ReadKey {
  return (_, properties) =>
    properties.has("certificate_file") || !usesTls(properties)
      ? { outcome: "idle" }
      : { outcome: "none", note: "a keystore of Java is not read" };
}

function isTrue(text: string): boolean {
  return text.trim().toLowerCase() === "true";
}

function same(note = ""): ReadKey {
  return () => ({ outcome: "same", note });
}

function idle(note = ""): ReadKey {
  return () => ({ outcome: "idle", note });
}

function none(note: string): ReadKey {
  return () => ({ outcome: "none", note });
}

/** A whole number from 1 on, as TorchServe wants it here. */
function count(write: (count: number) => Pick<Made, "server" | "models">): ReadKey {
  return (value) => {
    if (!/^[0-9]{1,12}$/.test(value.trim())) return { outcome: "none", note: "expected a whole number" };
    const number = Number(value);
    return number > 0 ? { outcome: "same", ...write(number) } : { outcome: "idle" };
  };
}
