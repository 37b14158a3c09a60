// Tests load-config.ts, parse-option.ts, yaml-file.ts and the option tables.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { timerDelayMs } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import { loadConfig, loadModelConfig } from "./load-config.ts";
import { MODEL_OPTIONS } from "./model-options.ts";
import { envName, fileKey, flagName } from "./option.ts";
import { parseOption } from "./parse-option.ts";
import { SERVER_OPTIONS } from "./server-options.ts";
import { parseYaml } from "./yaml-file.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-config-"));
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof ServeError);
    assert.equal(error.code, "invalid_argument");
    return error.message;
  }
  assert.fail("expected a rejection");
}

describe("loadConfig()", () => {
  test("a flag wins over the environment, the environment over the file, the file over the default", () => {
    const config = file("a.yaml", "port: 1\nhost: ::1\nlog_level: warn\n");
    const env = { SCONCE_CONFIG: config, SCONCE_PORT: "2", SCONCE_HOST: "localhost" };
    const { server } = loadConfig({ env, flags: new Map([["--port", "3"]]) });
    assert.deepEqual(
      [server.port, server.host, server.logLevel, server.maxConnections],
      [3, "localhost", "warn", 10_000],
    );
    assert.ok(Object.isFrozen(server));
  });

  test("model defaults come from the `models` section", () => {
    const config = file(
      "b.yaml",
      "models:\n  instances: auto\n  max_queue_delay: 250us\n  preferred_batch_size: [4, 8]\n",
    );
    const { modelDefaults } = loadConfig({ env: { SCONCE_CONFIG: config } });
    assert.equal(modelDefaults.instances, "auto");
    assert.equal(modelDefaults.maxQueueDelayMs, 0.25);
    assert.deepEqual(modelDefaults.preferredBatchSize, [4, 8]);
  });

  test("a misspelt key is rejected with the nearest known one", () => {
    const config = file("c.yaml", "prot: 1\n");
    assert.match(
      messageOf(() => loadConfig({ env: { SCONCE_CONFIG: config } })),
      /c\.yaml.*"prot".*did you mean port/,
    );
  });

  test("a value that does not fit names its source, what was expected and what came", () => {
    assert.match(
      messageOf(() => loadConfig({ env: { SCONCE_PORT: "http" } })),
      /^SCONCE_PORT: .* 0 to 65535, got "http"/,
    );
    const config = file("d.yaml", "port: 70000\n");
    assert.match(
      messageOf(() => loadConfig({ env: { SCONCE_CONFIG: config } })),
      /^port in d\.yaml/,
    );
  });

  test("a missing configuration file is rejected without its folders", () => {
    assert.throws(() => loadConfig({ env: { SCONCE_CONFIG: join(folder, "none.yaml") } }), {
      reason: "file_unreadable",
      message: "none.yaml cannot be read: it does not exist",
    });
  });
});

test("a flag that does not exist is rejected, also one without its dashes", () => {
  for (const flag of ["port", "--prot"]) {
    assert.match(
      messageOf(() => loadConfig({ flags: new Map([[flag, "0"]]) })),
      /unknown option.*did you mean --port\?/,
    );
  }
});

test("one number is taken where a list of numbers is meant", () => {
  assert.deepEqual(parseOption(MODEL_OPTIONS.preferredBatchSize, 2, { label: "x" }), [2]);
  messageOf(() => parseOption(MODEL_OPTIONS.preferredBatchSize, true, { label: "x" }));
});

describe("loadModelConfig()", () => {
  test("model.yaml overrides the defaults it names and no others", () => {
    const { modelDefaults } = loadConfig({ flags: new Map([["--max-batch-size", "4"]]) });
    const model = loadModelConfig(
      parseYaml("memory: shared\nmemory_limit: 2GiB\n", "model.yaml"),
      modelDefaults,
    );
    assert.deepEqual([model.maxBatchSize, model.memory, model.memoryLimitBytes], [4, "shared", 2 ** 31]);
  });
});

describe("parseOption()", () => {
  const duration = SERVER_OPTIONS.drainDelayMs;
  for (const [raw, ms] of [
    ["250us", 0.25],
    ["5ms", 5],
    ["1.5s", 1500],
    ["2m", 120_000],
    [7, 7],
    ["0", 0],
  ] as const) {
    test(`duration ${raw}`, () => assert.equal(parseOption(duration, raw, { label: "x" }), ms));
  }
  for (const raw of ["5 weeks", "-1", "1e9", "", "600001", null, [], "NaN"]) {
    test(`duration ${JSON.stringify(raw)} is rejected`, () => {
      messageOf(() => parseOption(duration, raw, { label: "x" }));
    });
  }
  test("limits hold at n−1, n and n+1", () => {
    const row = SERVER_OPTIONS.port;
    assert.equal(parseOption(row, "65534", { label: "x" }), 65534);
    assert.equal(parseOption(row, "65535", { label: "x" }), 65535);
    messageOf(() => parseOption(row, "65536", { label: "x" }));
    messageOf(() => parseOption(row, "-1", { label: "x" }));
  });
});

describe("parseYaml()", () => {
  test("billion laughs, tags, merge bombs and deep nesting are rejected", () => {
    const laughs = `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c]\n`;
    assert.match(
      messageOf(() => parseYaml(laughs, "m.yaml")),
      /alias/,
    );
    messageOf(() => parseYaml('a: !!js/function "x"', "m.yaml"));
    messageOf(() => parseYaml(`a: ${"[".repeat(64)}${"]".repeat(64)}`, "m.yaml"));
    messageOf(() => parseYaml("a: 1\na: 2\n", "m.yaml"));
    messageOf(() => parseYaml(`a: "${"x".repeat(2 ** 20)}"`, "m.yaml"));
    messageOf(() => parseYaml("- 1\n", "m.yaml"));
  });
  test("a nesting of 31 is read", () => {
    assert.ok(parseYaml(`a: ${"[".repeat(31)}${"]".repeat(31)}`, "m.yaml"));
  });
});

test("no option takes a duration that overflows a timer", () => {
  for (const [name, row] of Object.entries({ ...SERVER_OPTIONS, ...MODEL_OPTIONS }))
    if (row.kind === "duration") assert.equal(timerDelayMs(row.max), row.max, name);
});

test("every option has its own flag, variable and file key", () => {
  const names = [...Object.keys(SERVER_OPTIONS), ...Object.keys(MODEL_OPTIONS)];
  for (const spell of [fileKey, flagName, envName])
    assert.equal(new Set(names.map(spell)).size, names.length);
});
