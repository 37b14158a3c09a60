import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readMlserverSettings } from "./mlserver-settings.ts";
import { readTritonJson, readTritonSettings } from "./triton-settings.ts";

/** As Triton's own examples are written. */
const DENSENET = `
name: "densenet_onnx"
platform: "onnxruntime_onnx"
max_batch_size : 8
input [
  {
    name: "data_0"
    data_type: TYPE_FP32
    format: FORMAT_NCHW
    dims: [ 3, 224, 224 ]
    reshape { shape: [ 1, 3, 224, 224 ] }
  }
]
output [
  { name: "fc6_1" data_type: TYPE_FP32 dims: [ 1000 ] label_filename: "densenet_labels.txt" }
]
version_policy: { specific { versions: [1, 3] } }
dynamic_batching {
  preferred_batch_size: [ 4, 8 ]
  max_queue_delay_microseconds: 100
  priority_levels: 3
  default_priority_level: 2
  default_queue_policy { default_timeout_microseconds: 50000 max_queue_size: 99 }
}
instance_group [ { count: 2 kind: KIND_CPU }, { kind: KIND_GPU gpus: [ 0 ] } ]
model_warmup [ { name: "w" batch_size: 1 count: 3 inputs { key: "data_0" value: { data_type: TYPE_FP32 dims: [3, 224, 224] zero_data: true } } } ]
parameters { key: "intra_op_thread_count" value: { string_value: "2" } }
parameters: { key: "execution_mode" value: { string_value: "1" } }
optimization { graph { level: 1 } }
`;

test("a config.pbtxt says what a model.yaml would", () => {
  const settings = readTritonSettings(DENSENET, "config.pbtxt");
  assert.deepEqual(settings.values, {
    version_policy: "1,3",
    max_batch_size: 8,
    labels: { fc6_1: "densenet_labels.txt" },
    preferred_batch_size: [4, 8],
    max_queue_delay: 0.1,
    priority_levels: 3,
    default_priority: 2,
    queue_timeout: 50,
    max_queue_size: 99,
    instances: 3,
    threads: 2,
    warmup_runs: 3,
  });
  assert.deepEqual(settings.ports, {
    source: "config.pbtxt",
    isBatched: true,
    inputs: [{ name: "data_0", datatype: "FP32", dims: [3, 224, 224], shape: [1, 3, 224, 224] }],
    outputs: [{ name: "fc6_1", datatype: "FP32", dims: [1000] }],
  });
  assert.deepEqual(settings.remarks, [
    "config.pbtxt: optimization has no effect",
    "config.pbtxt: KIND_GPU has no effect: the model runs on the CPU",
    'config.pbtxt: the parameter "execution_mode" has no effect',
  ]);
});

test("without inputs and outputs nothing is said of batching; with them and no max_batch_size it is off", () => {
  assert.deepEqual(readTritonSettings('name: "m"', "config.pbtxt"), {
    name: "config.pbtxt",
    values: {},
    remarks: [],
  });
  const port = '{ name: "x" data_type: TYPE_STRING dims: [ -1 ] }';
  const settings = readTritonSettings(`input [${port}] output [${port}]`, "config.pbtxt");
  assert.deepEqual(settings.values, { batching: false });
  assert.equal(settings.ports?.isBatched, false);
});

test("states of sequences are read, and are inputs and outputs beside those that clients see", () => {
  const text = `max_batch_size: 8
input [{ name: "x" data_type: TYPE_FP32 dims: [ 1 ] }]
output [{ name: "y" data_type: TYPE_FP32 dims: [ 1 ] }]
sequence_batching {
  max_sequence_idle_microseconds: 5000000
  oldest { max_candidate_sequences: 4 }
  state [{
    input_name: "h" output_name: "h_out" data_type: TYPE_FP32 dims: [ 2 ]
    initial_state: { name: "start" data_type: TYPE_FP32 dims: [ 2 ] data_file: "start.bin" }
  }]
}`;
  const { values, ports, refusal } = readTritonSettings(text, "config.pbtxt");
  assert.equal(refusal, undefined);
  assert.deepEqual(values, {
    max_batch_size: 8,
    sequence_idle: 5000,
    state: { h: "h_out" },
    initial_state: { h: "initial_state/start.bin" },
  });
  assert.deepEqual(
    [ports?.inputs.map(({ name }) => name), ports?.outputs.map(({ name }) => name)],
    [
      ["x", "h"],
      ["y", "h_out"],
    ],
  );
});

test("controls of sequences are read, and what is no control is refused with its place", () => {
  const read = (control: string) =>
    readTritonSettings(
      `input { name: "x" data_type: TYPE_FP32 dims: 1 } sequence_batching { control_input [ ${control} ] }`,
      "config.pbtxt",
    );
  const { controls, ports, remarks } = read(`
    { name: "go" control [ { kind: CONTROL_SEQUENCE_START fp32_false_true: [ 0, 1.5 ] } ] },
    { name: "last" control [ { kind: CONTROL_SEQUENCE_END bool_false_true: [ false, true ] } ] },
    { name: "here" control [ { kind: CONTROL_SEQUENCE_READY int32_false_true: [ 0, 1 ] } ] },
    { name: "id" control [ { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_STRING } ] }`);
  assert.deepEqual(controls, [
    { input: "go", kind: "START", datatype: "FP32", no: 0, yes: 1.5 },
    { input: "last", kind: "END", datatype: "BOOL", no: 0, yes: 1 },
    { input: "here", kind: "READY", datatype: "INT32", no: 0, yes: 1 },
    { input: "id", kind: "CORRID", datatype: "BYTES", no: 0, yes: 0 },
  ]);
  assert.deepEqual(
    ports!.inputs.map(({ name }) => name),
    ["x", "go", "last", "here", "id"],
  );
  assert.deepEqual(remarks, []);
  for (const [wrong, words] of [
    ["{ control [ { kind: CONTROL_SEQUENCE_START int32_false_true: [0, 1] } ] }", /has no name/],
    ["{ name: 'a' control [ { kind: CONTROL_SEQUENCE_START } ] }", /expected one of int32_false_true/],
    ["{ name: 'a' control [ { kind: CONTROL_SEQUENCE_START int32_false_true: [0] } ] }", /two values/],
    [
      "{ name: 'a' control [ { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_FP32 } ] }",
      /cannot be TYPE_FP32/,
    ],
    ["{ name: 'a' control [ { kind: SOMETHING } ] }", /the kind SOMETHING does not exist/],
  ] as const)
    assert.throws(() => read(wrong), words);
});

test("an ensemble is a pipeline", () => {
  const text = `platform: "ensemble" input { name: "IN" data_type: TYPE_FP32 dims: 4 } output { name: "OUT" data_type: TYPE_FP32 dims: 4 }
    ensemble_scheduling { step { model_name: "a" model_version: -1 input_map { key: "x" value: "IN" } output_map { key: "y" value: "m" } }
      step { model_name: "b" model_version: 3 input_map { key: "x", value: "m" } output_map { key: "y" value: "OUT" } } }`;
  const { values, refusal } = readTritonSettings(text, "config.pbtxt");
  assert.equal(refusal, undefined);
  assert.deepEqual(values["pipeline"], {
    steps: [
      { model: "a", inputs: { x: "IN" }, outputs: { y: "m" } },
      { model: "b", version: 3, inputs: { x: "m" }, outputs: { y: "OUT" } },
    ],
    inputs: ["IN"],
    outputs: ["OUT"],
  });
});

describe("what cannot be served is refused by name", () => {
  const CASES: readonly (readonly [string, RegExp])[] = [
    ['platform: "ensemble"', /an ensemble needs ensemble_scheduling/],
    ['backend: "python"', /the backend python is not served/],
    ['platform: "tensorrt_plan"', /the platform tensorrt_plan is not served/],
    ["model_operations { op_library_filename: 'x.so' }", /model_operations/],
  ];
  for (const [text, expected] of CASES) {
    test(text, () => assert.match(readTritonSettings(text, "config.pbtxt").refusal ?? "", expected));
  }
});

describe("what Triton would not read either is refused with its place", () => {
  const CASES: readonly (readonly [string, RegExp])[] = [
    ["max_batchsize: 8", /^config\.pbtxt line 1: a model's configuration has no field "max_batchsize"$/],
    ["max_batch_size: -1", /max_batch_size: expected 0 or more/],
    ["max_batch_size: eight", /line 1: max_batch_size: expected a whole number/],
    ['input { name: "x" data_type: TYPE_FP32 }', /input "x" has no dims/],
    ['input { name: "x" data_type: TYPE_FP12 dims: 1 }', /expected a type such as TYPE_FP32, got TYPE_FP12/],
    ['input { name: "x" data_type: TYPE_FP32 dims: 0 }', /sizes from 1 on, or -1, got 0/],
    ["input { data_type: TYPE_FP32 dims: 1 }", /an input has no name/],
    ['input { name: "x" data_type: TYPE_FP32 dims: [2] reshape { shape: [3] } }', /reshape of x/],
    [
      'output { name: "x" data_type: TYPE_FP32 dims: 1 label_filename: "../../etc/passwd" }',
      /name of a file/,
    ],
    ['default_model_filename: "/etc/passwd"', /name of a file/],
  ];
  for (const [text, expected] of CASES) {
    test(text, () =>
      assert.throws(() => readTritonSettings(text, "config.pbtxt"), {
        code: "invalid_argument",
        reason: "bad_config_file",
        message: expected,
      }),
    );
  }
});

test("a model-settings.json says what a model.yaml would", () => {
  const text = JSON.stringify({
    name: "digits",
    implementation: "mlserver_mlflow.MLflowRuntime",
    max_batch_size: 16,
    max_batch_time: 0.005,
    parallel_workers: 2,
    parameters: { uri: "./net.onnx", version: "v1", extra: {} },
    cache_enabled: true,
  });
  assert.deepEqual(readMlserverSettings(text, "model-settings.json"), {
    name: "model-settings.json",
    values: { max_batch_size: 16, max_queue_delay: 5, instances: 2 },
    modelFile: "net.onnx",
    remarks: [
      "model-settings.json: cache_enabled has no effect",
      "model-settings.json: parameters.extra has no effect",
    ],
  });
  for (const bad of ["", "[]", "null", "{"])
    assert.throws(() => readMlserverSettings(bad, "model-settings.json"), { reason: "bad_config_file" });
});

test("a configuration in JSON sets what the same one sets in protobuf's text format", () => {
  const json = {
    name: "densenet_onnx",
    platform: "onnxruntime_onnx",
    maxBatchSize: 8,
    input: [
      {
        name: "data_0",
        data_type: "TYPE_FP32",
        dims: ["3", "224", 224],
        reshape: { shape: [1, 3, 224, 224] },
      },
    ],
    version_policy: { specific: { versions: [1, "3"] } },
    dynamic_batching: { preferred_batch_size: [4, 8], max_queue_delay_microseconds: "100" },
    instance_group: [{ count: 2, kind: "KIND_CPU" }],
    parameters: { intra_op_thread_count: { string_value: "2" } },
  };
  const text = `
    name: "densenet_onnx" platform: "onnxruntime_onnx" max_batch_size: 8
    input { name: "data_0" data_type: TYPE_FP32 dims: [3, 224, 224] reshape { shape: [1, 3, 224, 224] } }
    version_policy { specific { versions: [1, 3] } }
    dynamic_batching { preferred_batch_size: [4, 8] max_queue_delay_microseconds: 100 }
    instance_group { count: 2 kind: KIND_CPU }
    parameters { key: "intra_op_thread_count" value { string_value: "2" } }`;
  const values = readTritonJson(JSON.stringify(json));
  assert.deepEqual(values, readTritonSettings(text, "config.pbtxt").values);
  assert.equal(values["max_batch_size"], 8);
  for (const wrong of [
    "",
    "7",
    '{"input":[[1]]}',
    `{"metric_tags":{${Array.from({ length: 10_001 }, (_, i) => `"${i}":"x"`).join(",")}}}`,
  ])
    assert.throws(() => readTritonJson(wrong), { reason: "bad_config_file" });
});
