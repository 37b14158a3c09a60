import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "./load-config.ts";
import { traceHeadersOf, traceRatioOf, tracesEndpointOf } from "./trace-options.ts";

function server(env: Readonly<Record<string, string>>, flags: readonly (readonly [string, string])[] = []) {
  return loadConfig({ env, flags: new Map(flags) }).server;
}

test("OpenTelemetry's variables name the collector, as OpenTelemetry has them", () => {
  const shared = server({
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318/base/",
    OTEL_EXPORTER_OTLP_HEADERS: "X-Key=a%20b, authorization=Bearer%3D1",
    OTEL_RESOURCE_ATTRIBUTES: "service.name=other,deployment.environment=prod",
    OTEL_SERVICE_NAME: "digits",
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0.25",
  });
  assert.equal(tracesEndpointOf(shared)?.href, "http://collector:4318/base/v1/traces");
  assert.deepEqual(traceHeadersOf(shared), { "x-key": "a b", authorization: "Bearer=1" });
  assert.deepEqual(shared.tracesResource, { "service.name": "digits", "deployment.environment": "prod" });
  assert.equal(traceRatioOf(shared), 0.25);
  assert.equal(shared.traceDecision, "parent");
  const own = server({
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318",
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://traces:9/here",
    OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE: "/ca.pem",
  });
  assert.equal(tracesEndpointOf(own)?.href, "https://traces:9/here");
  assert.equal(own.tracesCa, "/ca.pem");
  const grpc = server({
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4317",
    OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
  });
  assert.deepEqual([tracesEndpointOf(grpc)?.href, grpc.tracesProtocol], ["http://collector:4317/", "grpc"]);
});

test("samplers of OpenTelemetry, known and unknown", () => {
  const of = (name: string, arg = "0.1") => {
    const config = server({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: arg });
    return [config.traceDecision, traceRatioOf(config)];
  };
  assert.deepEqual(of("always_on"), ["own", 1]);
  assert.deepEqual(of("always_off"), ["own", 0]);
  assert.deepEqual(of("traceidratio"), ["own", 0.1]);
  assert.deepEqual(of("parentbased_always_on"), ["parent", 1]);
  assert.deepEqual(of("parentbased_always_off"), ["parent", 0]);
  assert.deepEqual(of("parentbased_traceidratio", "nonsense"), ["parent", 1]);
  assert.deepEqual(of("jaeger_remote"), ["parent", 1]);
});

test("what is said in Sconce's own words comes first, and traces can be off", () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://a:1" };
  assert.equal(
    tracesEndpointOf(server({ ...env, SCONCE_TRACES_ENDPOINT: "http://b:2" }))?.href,
    "http://b:2/v1/traces",
  );
  assert.equal(
    tracesEndpointOf(server(env, [["--traces-endpoint", "http://c:3/"]]))?.href,
    "http://c:3/v1/traces",
  );
  for (const off of [{ OTEL_SDK_DISABLED: "true" }, { OTEL_TRACES_EXPORTER: "none" }])
    assert.equal(tracesEndpointOf(server({ ...env, ...off })), undefined);
  assert.equal(tracesEndpointOf(server({ OTEL_SERVICE_NAME: "digits" })), undefined);
});

test("a ratio is a part or percents, and nothing else", () => {
  for (const [text, ratio] of [
    ["1%", 0.01],
    ["0.5 %", 0.005],
    ["100%", 1],
    ["0%", 0],
    ["0.01", 0.01],
    [".5", 0.5],
    ["1", 1],
    ["1e-3", 0.001],
  ] as const)
    assert.equal(traceRatioOf({ traceSampling: text }), ratio, text);
  for (const text of ["", "%", "101%", "1.01", "-1%", "NaN", "1%%", "one", "1/100", "0x1"])
    assert.throws(() => traceRatioOf({ traceSampling: text }), /--trace-sampling: expected a part/, text);
});

test("endpoints and headers that cannot be are rejected by their option's name, without their secrets", () => {
  for (const text of ["collector:4318", "ftp://collector", "http://user:secret@collector", ""])
    assert.throws(
      () => tracesEndpointOf(server({}, [["--traces-endpoint", text]])),
      (error: Error) =>
        /--traces-endpoint: expected a URL/.test(error.message) && !error.message.includes("secret"),
    );
  for (const headers of [{ "a b": "x" }, { a: "x\nsecret" }])
    assert.throws(
      () => traceHeadersOf({ tracesHeaders: headers }),
      (error: Error) => /--traces-headers/.test(error.message) && !error.message.includes("secret"),
    );
});
