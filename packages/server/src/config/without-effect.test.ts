import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "./load-config.ts";
import { optionsWithoutEffect, unknownVariables } from "./without-effect.ts";

const told = (...flags: [string, string][]): string[] =>
  optionsWithoutEffect(loadConfig({ flags: new Map(flags) }), { hasStores: false });

test("an option that needs another one is told of when that is missing, and only then", () => {
  assert.deepEqual(told(), []);
  assert.deepEqual(told(["--max-loaded-models", "2"]), [
    "--max-loaded-models has no effect without --lazy-loading",
  ]);
  assert.deepEqual(told(["--max-loaded-models", "2"], ["--lazy-loading", "true"]), []);
  assert.deepEqual(told(["--load-models", "a,b"], ["--poll-interval", "5s"]), [
    "--load-models has no effect without --model-control explicit",
    "--poll-interval has no effect without --model-control poll",
  ]);
});

test("options of stores are told of when nothing that is served lies in one", () => {
  const flags: [string, string][] = [
    ["--store-cache", "/tmp/copies"],
    ["--store-timeout", "5s"],
  ];
  assert.deepEqual(told(...flags), [
    "--store-cache has no effect without a model at s3://, gs:// or https://",
    "--store-timeout has no effect without a model at s3://, gs:// or https://",
  ]);
  assert.deepEqual(optionsWithoutEffect(loadConfig({ flags: new Map(flags) }), { hasStores: true }), []);
});

test("a variable that is none of Sconce's is told of with the nearest that is", () => {
  const env = {
    SCONCE_PORT: "1",
    SCONCE_PROT: "1",
    SCONCE_FROBNICATION: "1",
    HOME: "/",
    SCONCE_TEST_PYTHON: "x",
  };
  assert.deepEqual(unknownVariables(env), [
    "the environment variable SCONCE_PROT has no effect; did you mean SCONCE_PORT?",
    "the environment variable SCONCE_FROBNICATION has no effect",
  ]);
});
