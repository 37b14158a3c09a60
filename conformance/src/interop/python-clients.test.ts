// Tests the built server with grpcio and tritonclient, which share nothing with the clients of the other tests.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { MODELS_FOLDER } from "../expected-digits.ts";
import { runPython } from "../python.ts";
import { startServerProcess } from "../server-process.ts";

const scriptPath = (name: string): string =>
  fileURLToPath(new URL(`../../../scripts/${name}`, import.meta.url));

async function checkCases(
  t: TestContext,
  script: string,
  { least, flags = [] }: { readonly least: number; readonly flags?: readonly string[] },
): Promise<void> {
  // Small: no PyTorch is in it.
  const args = [scriptPath("python-env.mjs"), scriptPath("python/grpc-requirements.txt")];
  const env = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (env.status !== 0) {
    t.skip(`needs grpcio and tritonclient[http]: ${env.stdout.trim()}`);
    return;
  }
  const server = await startServerProcess([MODELS_FOLDER, "--log-level", "error", ...flags]);
  t.after(() => server.stop());
  const output = await runPython(env.stdout.trim(), [scriptPath(`python/${script}`), server.authority]);
  const { cases, wrong } = JSON.parse(output) as { readonly cases: number; readonly wrong: object };
  assert.deepEqual(wrong, {});
  assert.ok(cases >= least, `${cases} cases`);
}

test("gRPC's interoperability cases and Triton's own client, from Python", { timeout: 600_000 }, (t) =>
  checkCases(t, "grpc_clients.py", { least: 11 }),
);

test("what Triton's examples ask, from Python over REST and gRPC", { timeout: 600_000 }, (t) =>
  checkCases(t, "triton_clients.py", { least: 9 }),
);

test("tensors in shared memory, from Python over REST and gRPC", { timeout: 600_000 }, (t) =>
  checkCases(t, "triton_memory.py", { least: 5, flags: ["--shared-memory", "system"] }),
);
