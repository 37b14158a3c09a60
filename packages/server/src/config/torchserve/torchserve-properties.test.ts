import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../load-config.ts";
import { readTorchserveProperties } from "./torchserve-properties.ts";

const read = (text: string, env: Record<string, string> = {}) =>
  readTorchserveProperties(text, "config.properties", env);

test("without a word it is TorchServe's own ports", () => {
  assert.deepEqual(read("").values, {
    compat: "torchserve",
    host: "127.0.0.1",
    port: 8080,
    torchserve_ports: [8081, 8082, 7070, 7071],
    torchserve_tokens: "key_file.json",
  });
  assert.equal(read("disable_token_authorization=true").values["torchserve_tokens"], undefined);
});

test("addresses, limits and defaults of models become ours", () => {
  const { values, startup, modelStore, hasModelApi } = read(`
inference_address=http://0.0.0.0:80
management_address=http://127.0.0.1:8081
grpc_inference_address=0.0.0.0
grpc_inference_port=9000
model_store=/models
load_models=a.mar, b=c.mar,,d=
default_workers_per_model=3
default_response_timeout=10
job_queue_size=100
number_of_gpu=0
max_request_size=65535
cors_allowed_origin=https://a.example
disable_token_authorization=true
token_expiration_min=30
enable_model_api=true
`);
  assert.deepEqual(values, {
    compat: "torchserve",
    host: "0.0.0.0",
    port: 80,
    torchserve_ports: [8081, 8082, 9000, 7071],
    torchserve_hosts: ["127.0.0.1", "127.0.0.1", "0.0.0.0", "127.0.0.1"],
    max_body: 65_535,
    cors_origins: ["https://a.example"],
    model_control: "explicit",
    models: { instances: 3, execution_timeout: "10s", max_queue_size: 100, device: "cpu" },
  });
  assert.deepEqual(startup, [
    { name: undefined, file: "a.mar" },
    { name: "b", file: "c.mar" },
  ]);
  assert.deepEqual([modelStore, hasModelApi], ["/models", true]);
});

test("what is said of single models becomes their model.yaml", () => {
  const { modelSettings, startup, rows } = read(
    'models={"m": {"1.0": {"minWorkers": 2}, "2.0": {"defaultVersion": true, "marName": "m.mar", "minWorkers": 1, "batchSize": 8, "maxBatchDelay": 50, "responseTimeout": 120, "parallelType": "tp"}}}',
  );
  assert.deepEqual(Object.fromEntries(modelSettings), {
    m: { instances: 1, max_batch_size: 8, max_queue_delay: "50ms", execution_timeout: "120s" },
  });
  assert.equal(startup, undefined);
  assert.equal(rows.find(({ key }) => key === "m.parallelType")?.outcome, "none");
});

test("a snapshot says what is served", () => {
  const { startup, modelSettings } = read(
    'model_snapshot={"name": "x", "models": {"m": {"1.0": {"marName": "file.mar", "minWorkers": 1}}}}',
  );
  assert.deepEqual(startup, [{ name: "m", file: "file.mar" }]);
  assert.deepEqual(modelSettings.get("m"), { instances: 1 });
});

test("variables come before the file where it allows them", () => {
  const env = { TS_JOB_QUEUE_SIZE: "7", TS_MODEL_STORE: "/env", STORE: "/here" };
  assert.deepEqual(read("job_queue_size=100", env).values["models"], { max_queue_size: 100 });
  const { values, modelStore } = read("job_queue_size=100\nenable_envvars_config=true", env);
  assert.deepEqual([values["models"], modelStore], [{ max_queue_size: 7 }, "/env"]);
  assert.equal(read("model_store=$$STORE$$/models $$NO$$", env).modelStore, "/here/models $$NO$$");
});

test("TLS is never dropped", () => {
  const https = "inference_address=https://127.0.0.1:8443\n";
  const { values } = read(`${https}private_key_file=key.pem\ncertificate_file=cert.pem`);
  assert.deepEqual([values["tls_key"], values["tls_cert"], values["port"]], ["key.pem", "cert.pem", 8443]);
  assert.throws(() => read(https), /must name PEM files/);
  assert.throws(() => read(`${https}keystore=k.p12`), /a keystore of Java is not read: openssl pkcs12/);
});

test("every key of TorchServe's has a word for whoever comes from there, and what it becomes is an option", () => {
  const said = read(`
service_envelope=mine
install_py_dep_per_model=true
allowed_urls=https://s3.amazonaws.com/.*
no_such_key=1
prefer_direct_buffer=true
number_of_gpu=2
default_workers_per_model=many
`);
  assert.deepEqual(
    said.rows.map(({ key, outcome }) => [key, outcome]),
    [
      ["service_envelope", "none"],
      ["install_py_dep_per_model", "none"],
      ["allowed_urls", "none"],
      ["no_such_key", "none"],
      ["prefer_direct_buffer", "idle"],
      ["number_of_gpu", "other"],
      ["default_workers_per_model", "none"],
    ],
  );
  for (const { note, outcome } of said.rows) assert.ok(outcome !== "none" || note.length > 10);
  const base = { name: "config.properties", ...said };
  assert.equal(loadConfig({ flags: new Map([["--port", "1"]]), base }).server.port, 1);
  assert.equal(loadConfig({ base }).server.compat, "torchserve");
  const wrong = { ...base, modelSettings: new Map([["m", { instances: 1000 }]]) };
  assert.throws(() => loadConfig({ base: wrong }), /instances in config\.properties \(m\): expected/);
});

test("what is no address, port or JSON is refused with its key", () => {
  for (const [text, words] of [
    ["inference_address=unix:/tmp/x", /inference_address in config\.properties: sockets of the file system/],
    ["metrics_address=8082", /expected an address such as/],
    ["grpc_inference_port=70700", /expected a port/],
    ["models={", /models in config\.properties: it is not JSON/],
    ['models={"m": 1}', /expected versions and their settings/],
  ] as const)
    assert.throws(() => read(text), words);
});
