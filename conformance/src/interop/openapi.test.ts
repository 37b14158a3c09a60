// Tests /openapi.json of the built server: schemathesis makes requests of it, and checks every response against it.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { MODELS_FOLDER } from "../expected-digits.ts";
import { runPython } from "../python.ts";
import { startServerProcess } from "../server-process.ts";

const scriptPath = (name: string): string =>
  fileURLToPath(new URL(`../../../scripts/${name}`, import.meta.url));

const CHECKS = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_schema_conformance",
];

test("requests made of /openapi.json get no 5xx and no response that breaks its schema", {
  timeout: 600_000,
}, async (t) => {
  const args = [scriptPath("python-env.mjs"), scriptPath("python/openapi-requirements.txt")];
  const env = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (env.status !== 0) {
    t.skip(`needs schemathesis: ${env.stdout.trim()}`);
    return;
  }
  const server = await startServerProcess([MODELS_FOLDER, "--log-level", "error"]);
  t.after(() => server.stop());
  const python = env.stdout.trim();
  const program = join(dirname(python), "schemathesis");
  // It keeps what it found in the folder in which it runs.
  const folder = mkdtempSync(join(tmpdir(), "sconce-openapi-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const inFolder = [
    "-c",
    "import os, sys; os.chdir(sys.argv[1]); os.execv(sys.executable, [sys.executable, *sys.argv[2:]])",
    folder,
  ];
  const fuzz = [
    ...inFolder,
    program,
    "run",
    `${server.url}/openapi.json`,
    "--seed",
    "20260401",
    "--max-examples",
    "6",
  ];
  const phases = ["--phases", "examples,coverage,fuzzing", "--mode", "all", "--no-color"];
  // It rejects, with the request as a curl line, when a check fails.
  const report = await runPython(python, [...fuzz, ...phases, "--checks", CHECKS.join(",")]);
  const cases = Number(/(\d+) generated, \1 passed/.exec(report)?.[1] ?? 0);
  if (cases < 500) throw new Error(`${cases} requests were made:\n${report}`);
});
