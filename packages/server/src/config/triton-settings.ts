import type { DeclaredPort, DeclaredPorts } from "../base/declared-ports.ts";
import { ServeError } from "../base/errors.ts";
import type { SequenceControl } from "../base/sequence-control.ts";
import { parseJsonProto } from "./json-proto.ts";
import type { SettingsFile } from "./settings-file.ts";
import { TextFields } from "./text-fields.ts";
import { parseTextProto } from "./text-proto.ts";
import { readControls } from "./triton-controls.ts";
import { readEnsemble } from "./triton-ensemble.ts";
import { readPorts, readStatePorts } from "./triton-ports.ts";

/** What is gathered while the fields are read. */
interface Reading {
  /** Keys of model.yaml. */
  readonly values: Record<string, unknown>;
  readonly remarks: string[];
  refusal: string | undefined;
}

type ReadField = (config: TextFields, reading: Reading) => void;

const PLATFORMS = ["", "onnxruntime_onnx", "pytorch_libtorch"];
const BACKENDS = ["", "onnxruntime", "pytorch"];
const QUEUE_POLICY = [
  "timeout_action",
  "default_timeout_microseconds",
  "allow_timeout_override",
  "max_queue_size",
];

/** Every field of Triton's ModelConfig, in the order in which it is read. */
const FIELDS: Readonly<Record<string, ReadField>> = {
  name: () => {},
  platform: readPlatform,
  backend: readBackend,
  runtime: noEffect("runtime"),
  version_policy: readVersionPolicy,
  max_batch_size: readMaxBatchSize,
  input: () => {},
  output: readLabels,
  batch_input: (_, reading) =>
    refuse(reading, "batch_input is not served: the model gets the inputs of requests alone"),
  batch_output: noEffect("batch_output"),
  optimization: noEffect("optimization"),
  dynamic_batching: readDynamicBatching,
  sequence_batching: readSequenceBatching,
  ensemble_scheduling: (config, { values }) => {
    values["pipeline"] = readEnsemble(config);
  },
  instance_group: readInstances,
  default_model_filename: () => {},
  cc_model_filenames: noEffect("cc_model_filenames"),
  metric_tags: noEffect("metric_tags"),
  parameters: readParameters,
  model_warmup: readWarmup,
  model_operations: (_, reading) =>
    refuse(reading, "model_operations is not served: libraries of custom operations are not loaded"),
  model_transaction_policy: (config, { remarks }) => {
    if (config.message("model_transaction_policy")?.flag("decoupled"))
      remarks.push("decoupled has no effect: every request gets one answer");
  },
  model_repository_agents: noEffect("model_repository_agents"),
  response_cache: (config, { remarks }) => {
    if (config.message("response_cache")?.flag("enable"))
      remarks.push("response_cache has no effect: put a size into model.yaml, such as cache: 64MiB");
  },
  model_metrics: noEffect("model_metrics"),
};

/**
 * What a config.pbtxt says, as keys of model.yaml, inputs and outputs, and remarks about the rest. Throws
 * `invalid_argument`/`bad_config_file` with the line for what Triton would not read either.
 */
export function readTritonSettings(text: string, name: string): SettingsFile {
  return settingsOf(new TextFields(name, parseTextProto(text, name)), name);
}

/**
 * The keys of model.yaml that a configuration in JSON sets, as Triton's load takes it. Inputs and outputs stay those of the model's own files. Throws
 * `invalid_argument`/`bad_config_file` for what is no such configuration, and for what cannot be served.
 */
export function readTritonJson(json: string): Readonly<Record<string, unknown>> {
  const name = "config";
  const { values, refusal } = settingsOf(new TextFields(name, parseJsonProto(json, name)), name);
  if (refusal !== undefined) throw new ServeError("invalid_argument", refusal, { reason: "bad_config_file" });
  return values;
}

function settingsOf(config: TextFields, name: string): SettingsFile {
  config.only(Object.keys(FIELDS), "a model's configuration");
  const reading: Reading = { values: {}, remarks: [], refusal: undefined };
  const inputs = readPorts(config, "input", reading.remarks);
  const outputs = readPorts(config, "output", reading.remarks);
  for (const [field, read] of Object.entries(FIELDS)) if (config.has(field)) read(config, reading);
  const states = config.message("sequence_batching")?.messages("state").map(readStatePorts) ?? [];
  const batching = config.message("sequence_batching");
  const controls = batching === undefined ? [] : readControls(batching);
  const maxBatchSize = config.number("max_batch_size") ?? 0;
  const isSaid = inputs.length > 0 || outputs.length > 0;
  // Without inputs and outputs Triton completes the configuration itself, batching included.
  if (maxBatchSize === 0 && isSaid) reading.values["batching"] = false;
  const ports: DeclaredPorts = {
    source: name,
    isBatched: maxBatchSize > 0,
    inputs:
      inputs.length === 0
        ? inputs
        : [...inputs, ...states.map(({ input }) => input), ...controls.map(controlPort)],
    outputs: outputs.length === 0 ? outputs : [...outputs, ...states.map(({ output }) => output)],
  };
  const modelFile = config.text("default_model_filename");
  return {
    name,
    values: reading.values,
    remarks: reading.remarks.map((remark) => `${name}: ${remark}`),
    ...(isSaid && { ports }),
    ...(controls.length > 0 && { controls }),
    ...(modelFile !== undefined && modelFile !== "" && { modelFile: plainName(config, modelFile) }),
    ...(reading.refusal !== undefined && { refusal: `${name}: ${reading.refusal}` }),
  };
}

const SEQUENCE_FIELDS = [
  "max_sequence_idle_microseconds",
  "control_input",
  "state",
  "direct",
  "oldest",
  "iterative_sequence",
] as const;
const STATE_FIELDS = [
  "input_name",
  "output_name",
  "data_type",
  "dims",
  "initial_state",
  "use_same_buffer_for_input_output",
  "use_growable_memory",
] as const;

/** One element for each row. */
function controlPort({ input, datatype }: SequenceControl): DeclaredPort {
  return { name: input, datatype, dims: [1] };
}

function noEffect(field: string): ReadField {
  return (_, { remarks }) => void remarks.push(`${field} has no effect`);
}

function refuse(reading: Reading, why: string): void {
  reading.refusal ??= why;
}

function readPlatform(config: TextFields, reading: Reading): void {
  const platform = config.text("platform") ?? "";
  if (platform === "ensemble") {
    if (!config.has("ensemble_scheduling"))
      refuse(reading, "an ensemble needs ensemble_scheduling with its steps");
  } else if (!PLATFORMS.includes(platform))
    refuse(
      reading,
      `the platform ${platform.slice(0, 60)} is not served: export the model to ONNX or TorchScript`,
    );
}

/** `backend` alone names what runs the model, where there is no platform. */
function readBackend(config: TextFields, reading: Reading): void {
  const backend = config.text("backend") ?? "";
  if (!BACKENDS.includes(backend))
    refuse(
      reading,
      `the backend ${backend.slice(0, 60)} is not served: export the model to ONNX or TorchScript`,
    );
}

function readVersionPolicy(config: TextFields, { values }: Reading): void {
  const policy = config.message("version_policy")!;
  policy.only(["latest", "all", "specific"], "version_policy");
  const latest = policy.message("latest");
  const specific = policy.message("specific");
  if (policy.has("all")) values["version_policy"] = "all";
  else if (specific !== undefined) values["version_policy"] = specific.numbers("versions").join(",");
  else if (latest !== undefined)
    values["version_policy"] = `latest:${Math.max(1, latest.number("num_versions") ?? 1)}`;
}

function readMaxBatchSize(config: TextFields, { values }: Reading): void {
  const size = config.number("max_batch_size") ?? 0;
  if (size < 0) throw config.fail(`max_batch_size: expected 0 or more, got ${size}`);
  if (size > 0) values["max_batch_size"] = size;
}

function readLabels(config: TextFields, { values }: Reading): void {
  const labels: Record<string, string> = {};
  for (const output of config.messages("output")) {
    const file = output.text("label_filename") ?? "";
    if (file !== "") labels[output.text("name")!] = plainName(config, file);
  }
  if (Object.keys(labels).length > 0) values["labels"] = labels;
}

function plainName(config: TextFields, file: string): string {
  if (/^[^/\\\0]{1,255}$/.test(file) && !file.startsWith(".")) return file;
  throw config.fail(
    `expected the name of a file in the model's folder, got ${JSON.stringify(file.slice(0, 80))}`,
  );
}

function readDynamicBatching(config: TextFields, reading: Reading): void {
  const { values, remarks } = reading;
  const batching = config.message("dynamic_batching")!;
  batching.only(
    [
      "preferred_batch_size",
      "max_queue_delay_microseconds",
      "preserve_ordering",
      "priority_levels",
      "default_priority_level",
      "default_queue_policy",
      "priority_queue_policy",
    ],
    "dynamic_batching",
  );
  const preferred = batching.numbers("preferred_batch_size");
  if (preferred.length > 0) values["preferred_batch_size"] = preferred;
  const delay = batching.number("max_queue_delay_microseconds") ?? 0;
  if (delay > 0) values["max_queue_delay"] = delay / 1000;
  const levels = batching.number("priority_levels") ?? 0;
  if (levels > 0) values["priority_levels"] = levels;
  const level = batching.number("default_priority_level") ?? 0;
  if (level > 0) values["default_priority"] = level;
  const policy = batching.message("default_queue_policy");
  if (policy !== undefined) readQueuePolicy(policy, reading);
  if (batching.flag("preserve_ordering"))
    remarks.push("preserve_ordering has no effect: answers come when they are ready");
  if (batching.has("priority_queue_policy"))
    remarks.push("priority_queue_policy has no effect: all priorities wait in one queue");
}

function readQueuePolicy(policy: TextFields, { values, remarks }: Reading): void {
  policy.only(QUEUE_POLICY, "default_queue_policy");
  const timeout = policy.number("default_timeout_microseconds") ?? 0;
  if (timeout > 0) values["queue_timeout"] = Math.max(1, timeout / 1000);
  const size = policy.number("max_queue_size") ?? 0;
  if (size > 0) values["max_queue_size"] = size;
  if (policy.word("timeout_action") === "DELAY")
    remarks.push("timeout_action DELAY has no effect: who waits too long is refused");
}

function readSequenceBatching(config: TextFields, reading: Reading): void {
  const { values, remarks } = reading;
  const batching = config.message("sequence_batching")!;
  batching.only(SEQUENCE_FIELDS, "sequence_batching");
  const states = batching.messages("state");
  const idle = batching.number("max_sequence_idle_microseconds") ?? 0;
  if (idle > 0) values["sequence_idle"] = Math.max(1, idle / 1000);
  if (states.length === 0) {
    if (batching.has("control_input")) return;
    remarks.push("sequence_batching has no effect: nothing is kept between the requests of a sequence");
    return;
  }
  for (const strategy of ["direct", "oldest"])
    if (batching.has(strategy)) remarks.push(`${strategy} has no effect: sequences share runs as they come`);
  values["state"] = Object.fromEntries(
    states.map((state) => [state.text("input_name") ?? "", state.text("output_name") ?? ""]),
  );
  const files = states.flatMap((state) => {
    state.only(STATE_FIELDS, "state");
    const [initial] = state.messages("initial_state");
    const file = initial?.text("data_file") ?? "";
    return file === "" ? [] : [[state.text("input_name")!, `initial_state/${plainName(config, file)}`]];
  });
  if (files.length > 0) values["initial_state"] = Object.fromEntries(files);
}

function readInstances(config: TextFields, { values, remarks }: Reading): void {
  let instances = 0;
  for (const group of config.messages("instance_group")) {
    instances += Math.max(1, group.number("count") ?? 1);
    if (group.word("kind") === "KIND_GPU") remarks.push("KIND_GPU has no effect: the model runs on the CPU");
    for (const field of ["rate_limiter", "profile", "host_policy", "secondary_devices"])
      if (group.has(field)) remarks.push(`${field} has no effect`);
  }
  if (instances > 0) values["instances"] = instances;
}

function readParameters(config: TextFields, { values, remarks }: Reading): void {
  for (const [name, value] of config.map("parameters")) {
    const text = value.text("string_value") ?? "";
    if (/^intra_op_thread_count$|^INTRA_OP_THREAD_COUNT$/.test(name) && /^[1-9][0-9]{0,2}$/.test(text)) {
      values["threads"] = Number(text);
    } else remarks.push(`the parameter ${JSON.stringify(name.slice(0, 60))} has no effect`);
  }
}

function readWarmup(config: TextFields, { values, remarks }: Reading): void {
  let runs = 0;
  for (const sample of config.messages("model_warmup")) {
    runs += Math.max(1, sample.number("count") ?? 1);
    for (const [name, input] of sample.map("inputs"))
      if (input.has("input_data_file"))
        remarks.push(`input_data_file of ${name} has no effect: warm-up runs on made-up values`);
  }
  if (runs > 0) values["warmup_runs"] = Math.min(runs, 1000);
}
