// Tests how loads and targets are read from the command line.
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadLevels, parseShare } from "./load-levels.ts";
import { parseTarget } from "./target.ts";

const HERE = { url: "http://127.0.0.1:8080", protocol: "json", allowRemote: false } as const;

test("connections and rates, alone, in lists and as a range", () => {
  const connections = (text: string): number[] =>
    loadLevels({ connections: text, rate: undefined }).map((level) => level.connections);
  assert.deepEqual(connections("1,8,32"), [1, 8, 32]);
  const rates = loadLevels({ connections: "4,16", rate: "100..1600" });
  assert.deepEqual(
    rates.map((level) => level.kind === "open" && level.rate),
    [100, 200, 400, 800, 1600],
  );
  assert.ok(rates.every((level) => level.connections === 16));
  for (const text of ["0", "-1", "x", "", "1,,2", "99999999"])
    assert.throws(() => connections(text), /--connections/, text);
  assert.equal(parseShare("--stability", "12.5 %"), 0.125);
  for (const text of ["0%", "10", "200%"])
    assert.throws(() => parseShare("--stability", text), /--stability/);
});

test("a target is a name or the URL of an endpoint", () => {
  const parsed = (text: string): unknown => {
    const { origin, model, version, protocol } = parseTarget(text, HERE);
    return [origin, model, version, protocol];
  };
  assert.deepEqual(parsed("digits"), ["http://127.0.0.1:8080", "digits", undefined, "json"]);
  assert.deepEqual(parsed("http://localhost:9/predict/a%20b"), [
    "http://localhost:9",
    "a b",
    undefined,
    "predict",
  ]);
  assert.deepEqual(parsed("http://[::1]:9/v2/models/m/versions/3/infer"), [
    "http://[::1]:9",
    "m",
    "3",
    "json",
  ]);
  assert.deepEqual(parsed("grpc://127.0.0.1:9/m"), ["http://127.0.0.1:9", "m", undefined, "grpc"]);
  assert.deepEqual(parsed("https://localhost/predict/m"), ["https://localhost", "m", undefined, "predict"]);
  assert.deepEqual(parsed("grpcs://127.0.0.1:9/m"), ["https://127.0.0.1:9", "m", undefined, "grpc"]);
  for (const text of ["http://localhost/", "ftp://localhost/predict/m", "grpc://localhost/"]) {
    assert.throws(() => parsed(text), { reason: "bad_arguments" }, text);
  }
});

test("only --allow-remote reaches other machines", () => {
  for (const host of ["example.com", "10.0.0.1", "[2001:db8::1]"]) {
    const text = `http://${host}/predict/m`;
    assert.throws(() => parseTarget(text, HERE), /--allow-remote/, host);
    assert.equal(parseTarget(text, { ...HERE, allowRemote: true }).model, "m");
  }
});
