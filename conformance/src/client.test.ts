// Tests @sconce/client against the built server, and the types that `sconce types` writes.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Client, createClient, tensor } from "@sconce/client";
import ts from "typescript";
import { WebSocket } from "ws";
import { argmax, expectedDigits, MODELS_FOLDER, nestedImage } from "./expected-digits.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BIN = join(ROOT, "packages/server/bin/sconce.js");
const { digits } = expectedDigits();

describe("@sconce/client", () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-types-"));
  let server: ServerProcess;
  let client: Client;

  before(async () => {
    server = await startServerProcess([MODELS_FOLDER]);
    client = createClient(server.url);
  });
  after(async () => {
    client.close();
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  test("infer equals PyTorch, with typed arrays and with nested lists", async () => {
    for (const digit of digits.slice(0, 20)) {
      const typed = await client.infer("digits", { image: tensor("FP32", [1, 1, 8, 8], digit.image) });
      const nested = await client.infer("digits", { image: [nestedImage(digit)] });
      for (const { outputs, model, version } of [typed, nested]) {
        assert.deepEqual([model, version], ["digits", "1"]);
        const { datatype, shape, data } = outputs["probabilities"]!;
        assert.ok(datatype === "FP32");
        assert.deepEqual(shape, [1, 10]);
        assert.equal(argmax(data), argmax(digit.probabilities));
        for (const [k, expected] of digit.probabilities.entries())
          assert.ok(Math.abs(data[k]! - expected) <= 1e-5);
      }
    }
  });

  test("an answer says which request it was and what the server needed for it", async () => {
    const image = tensor("FP32", [1, 1, 8, 8], digits[0]!.image);
    const answer = await client.infer("digits", { image }, { id: "first", outputs: ["probabilities"] });
    assert.equal(answer.id, "first");
    assert.ok(answer.serverMs["compute"]! > 0);
  });

  test("stream goes over the package ws where Node has no WebSocket", async () => {
    const streaming = createClient(server.url, { webSocket: WebSocket });
    const some = digits.slice(0, 20);
    const inputs = some.map(({ image }) => ({ image: tensor("FP32", [1, 1, 8, 8], image) }));
    const labels: number[] = [];
    for await (const { outputs } of streaming.stream("digits", inputs))
      labels.push(argmax(outputs["probabilities"]!.data as Float32Array));
    assert.deepEqual(
      labels,
      some.map(({ probabilities }) => argmax(probabilities)),
    );
    streaming.close();
    await assert.rejects(async () => {
      for await (const _ of streaming.stream("digits", inputs)) assert.fail("it was answered");
    }, /the client was closed/);
  });

  test("predict takes values, typed arrays and pictures", async () => {
    const [digit] = digits;
    const rows = nestedImage(digit!)[0]!;
    const values = [rows, rows.map((row) => Float32Array.from(row))];
    for (const value of values) {
      const answer = (await client.predict("digits", [value])) as number[];
      assert.equal(argmax(answer), argmax(digit!.probabilities));
    }
  });

  test("what the server refuses comes with its code, reason and words", async () => {
    await assert.rejects(client.infer("digit", {}), {
      code: "not_found",
      reason: "model_not_found",
      message: /did you mean "digits"/,
    });
    const image = tensor("FP32", [1, 1, 8, 9], new Float32Array(72));
    await assert.rejects(client.infer("digits", { image }), { code: "invalid_argument", status: 400 });
    await assert.rejects(
      client.infer("digits", { picture: [1] }),
      /digits has no input picture; it takes image/,
    );
    await assert.rejects(client.predict("digits", "7"), { code: "invalid_argument" });
  });

  test("a server that drains is left, and the other one answers every call", async () => {
    const other = await startServerProcess([MODELS_FOLDER]);
    const both = createClient([other.url, server.url]);
    const image = tensor("FP32", [1, 1, 8, 8], digits[0]!.image);
    const calls: Promise<unknown>[] = [];
    for (let call = 0; call < 60; call++) {
      calls.push(both.infer("digits", { image }));
      if (call === 20) calls.push(other.stop());
      if (call % 5 === 0) await Promise.all(calls);
    }
    await Promise.all(calls);
  });

  test("isReady and metadata tell of the server", async () => {
    assert.equal(await client.isReady(), true);
    const { inputs, versions } = await client.metadata("digits");
    assert.deepEqual(versions, ["1"]);
    assert.deepEqual(inputs, [{ name: "image", datatype: "FP32", shape: [-1, 1, 8, 8] }]);
    assert.equal(await createClient("http://127.0.0.1:1", { attempts: 1 }).isReady(), false);
  });

  test("the types that `sconce types` writes let right calls compile, and wrong ones not", async () => {
    const declared = join(folder, "models.ts");
    await run(process.execPath, [BIN, "types", server.url, "-o", declared]);
    const image = "{ image: tensor('FP32', [1, 1, 8, 8], new Float32Array(64)) }";
    const calls = [
      `export const data: Float32Array = (await client.infer("digits", ${image})).outputs.probabilities.data;`,
      `await client.infer("digit", ${image});`,
      'await client.infer("digits", { picture: [1] });',
      'await client.infer("digits", { image: tensor("INT64", [1], [1]) });',
      `export const x = (await client.infer("digits", ${image})).outputs.nothing;`,
    ];
    const files = calls.map((line, i) => {
      const file = join(folder, `call${i}.ts`);
      writeFileSync(
        file,
        `import { createClient, tensor } from "@sconce/client";\nimport type { Models } from "./models.ts";\n` +
          `export const client = createClient<Models>("${server.url}");\n${line}\n`,
      );
      return file;
    });
    const errors = errorsIn(files);
    const expected = [undefined, /"digit"/, /picture/, /INT64/, /nothing/];
    for (const [i, pattern] of expected.entries()) {
      const found = errors.filter(({ file }) => file === `call${i}.ts`).map(({ text }) => text);
      if (pattern === undefined) assert.deepEqual(found, []);
      else assert.match(found.join(), pattern);
    }
  });

  test("`sconce types` says when there is no server, and leaves no file", async () => {
    const output = join(folder, "none.d.ts");
    await assert.rejects(run(process.execPath, [BIN, "types", "http://127.0.0.1:1", "-o", output]), {
      stderr: /no server answers at http:\/\/127\.0\.0\.1:1/,
    });
    assert.throws(() => readFileSync(output));
  });
});

/** What the compiler says of files that import the client. */
function errorsIn(files: readonly string[]): { readonly file: string; readonly text: string }[] {
  const program = ts.createProgram(files, {
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    allowImportingTsExtensions: true,
    lib: ["lib.es2023.d.ts"],
    types: [],
    paths: {
      "@sconce/client": [join(ROOT, "packages/client/dist/index.d.ts")],
      "@sconce/protocol": [join(ROOT, "packages/protocol/dist/index.d.ts")],
    },
  });
  return ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => ({
    file: basename(file?.fileName ?? ""),
    text: ts.flattenDiagnosticMessageText(messageText, "\n"),
  }));
}
