// Tests `sconce curl` on the built program: what it prints is run, and answered.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { MODELS_FOLDER } from "./expected-digits.ts";
import { protoClient } from "./grpc-client.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BIN = join(ROOT, "packages/server/bin/sconce.js");
const CLIENT = pathToFileURL(join(ROOT, "packages/client/dist/index.js")).href;
const VISION = join(ROOT, "packages/torch/fixtures/rewrite/vision.onnx");

describe("sconce curl", () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-curl-"));
  let server: ServerProcess;
  before(async () => {
    server = await startServerProcess([MODELS_FOLDER, `vision=${VISION}`]);
  });
  after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  const printed = async (model: string, as: string): Promise<string> =>
    (await run(process.execPath, [BIN, "curl", model, "--as", as, "--url", server.url])).stdout;
  const lacks = (t: TestContext, program: string): boolean => {
    const isMissing = spawnSync(program, ["--version"]).status !== 0;
    if (isMissing) t.skip(`there is no ${program}`);
    return isMissing;
  };

  test("the curl line is answered", async (t) => {
    if (lacks(t, "curl")) return;
    const { stdout } = await run("sh", ["-c", await printed("digits", "curl")]);
    const { prediction } = JSON.parse(stdout) as { readonly prediction: readonly number[][] };
    assert.equal(prediction[0]?.length, 10);
  });

  test("a large input is made where it is sent", async (t) => {
    if (lacks(t, "curl")) return;
    const line = await printed("vision", "curl");
    assert.ok(line.length < 400, line);
    const { stdout } = await run("sh", ["-c", line], { cwd: folder });
    assert.match(stdout, /^200 \d+ bytes/);
  });

  test("the Python program prints the outputs", async (t) => {
    if (lacks(t, "python3")) return;
    const { stdout } = await run("python3", ["-c", await printed("digits", "python")]);
    assert.match(stdout, /^probabilities \[1, 10\] \[/);
  });

  test("the TypeScript program prints the outputs", async () => {
    const file = join(folder, "call.mjs");
    writeFileSync(
      file,
      (await printed("digits", "typescript")).replace('"@sconce/client"', JSON.stringify(CLIENT)),
    );
    const { stdout } = await run(process.execPath, [file]);
    assert.match(stdout, /^probabilities \[ 1, 10 \] Float32Array/);
  });

  test("the message for grpcurl is answered over gRPC", async () => {
    const line = await printed("digits", "grpcurl");
    const [, message = "", target = ""] =
      /^grpcurl -plaintext -d '(.*)' (\S+) inference\.GRPCInferenceService\/ModelInfer\n$/.exec(line) ?? [];
    const client = protoClient({
      proto: "inference/grpc_service.proto",
      service: "inference.GRPCInferenceService",
      target,
    });
    const answer = await client.unary("ModelInfer", JSON.parse(message) as never);
    client.close();
    assert.equal((answer["outputs"] as readonly { readonly name: string }[])[0]?.name, "probabilities");
  });
});
