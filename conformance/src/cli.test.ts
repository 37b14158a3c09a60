// Tests the commands of bin/sconce.js.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { DIGITS_FOLDER, MODELS_FOLDER } from "./expected-digits.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { until } from "./until.kit.ts";

const BIN = fileURLToPath(new URL("../../packages/server/bin/sconce.js", import.meta.url));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function sconce(args: readonly string[], stdin?: string): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [BIN, ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
    child.stdin?.end(stdin ?? "");
  });
}

describe("sconce inspect", () => {
  test("a .pt2 file: signature, parameters, ops, runtime and why", async () => {
    const { code, stdout } = await sconce(["inspect", `${MODELS_FOLDER}/digits.pt2`]);
    assert.equal(code, 0);
    assert.match(stdout, /image: float32 \[batch 0…1024, 1, 8, 8\]/);
    assert.match(stdout, /probabilities: float32 \[batch 0…1024, 10\]/);
    assert.match(stdout, /runtime +onnx: every op translates/);
    assert.match(stdout, /aten\.conv2d\.default/);
  });

  test("--json says the same to programs", async () => {
    const { stdout } = await sconce(["inspect", `${MODELS_FOLDER}/digits.pt2`, "--json"]);
    const summary = JSON.parse(stdout);
    assert.equal(summary.format, "pt2");
    assert.equal(summary.runtime.name, "onnx");
    assert.equal(summary.inputs[0].dims[0].symbol, "batch");
  });

  for (const [file, expected] of [
    ["digits.onnx", /ONNX, IR \d+.*\n.*image: float32 \[batch, 1, 8, 8\]/],
    [
      "digits.safetensors",
      /safetensors, \d+ tensors\n(?:.*\n)*parameters.*\n.*none: the file holds weights and no program/,
    ],
    [
      "digits.pth",
      /checkpoint, zip layout.*\n(?:.*\n)*parameters.*\n.*none: the file holds weights and no program/,
    ],
  ] as const) {
    test(`${file} by its content`, async () => {
      const { code, stdout } = await sconce(["inspect", `${DIGITS_FOLDER}/${file}`]);
      assert.equal(code, 0);
      assert.match(stdout, expected);
    });
  }

  test("a file that is not a model, and a file that is not there", async () => {
    const text = await sconce(["inspect", `${DIGITS_FOLDER}/train.py`]);
    assert.equal(text.code, 1);
    assert.match(text.stderr, /train\.py: the content is not a model format that Sconce knows/);
    const missing = await sconce(["inspect", "nowhere.pt2"]);
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /nowhere\.pt2: no such file/);
  });
});

describe("sconce predict", () => {
  let server: ServerProcess;
  before(async () => {
    server = await startServerProcess([MODELS_FOLDER]);
  });
  after(() => server?.stop());

  for (let digit = 0; digit <= 9; digit++) {
    test(`scan ${digit}.png is a ${digit}`, async () => {
      const input = `${DIGITS_FOLDER}/scans/${digit}.png`;
      const { code, stdout, stderr } = await sconce([
        "predict",
        "digits",
        "--input",
        input,
        "--url",
        server.url,
      ]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, new RegExp(`largest: ${digit} \\(`));
    });
  }

  test("JSON on standard input", async () => {
    const row = Array.from({ length: 8 }, () => Array(8).fill(0.5));
    const args = ["predict", "digits", "--input", "-", "--url", server.url, "--json"];
    const { code, stdout } = await sconce(args, JSON.stringify([row]));
    assert.equal(code, 0);
    assert.equal(JSON.parse(stdout).prediction.length, 10);
  });

  test("a model file is served for one question, with no server running", async () => {
    const args = ["predict", `${MODELS_FOLDER}/digits.pt2`, "--input", `${DIGITS_FOLDER}/scans/3.png`];
    const { code, stdout, stderr } = await sconce(args);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /largest: 3 \(/);
  });

  test("what can go wrong is said in words, with exit code 1", async () => {
    const scan = `${DIGITS_FOLDER}/scans/3.png`;
    const unknown = await sconce(["predict", "nobody", "--input", scan, "--url", server.url]);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /404.*"nobody" does not exist/);
    const noServer = await sconce(["predict", "digits", "--input", scan, "--url", "http://127.0.0.1:9"]);
    assert.match(noServer.stderr, /no server answers at http:\/\/127\.0\.0\.1:9/);
    const notJson = await sconce(["predict", "digits", "--input", "-", "--url", server.url], "{");
    assert.match(notJson.stderr, /--input: standard input is not JSON/);
  });
});

describe("sconce", () => {
  test("--help lists every command, and a command's --help its options with their defaults", async () => {
    const all = await sconce(["--help"]);
    assert.match(all.stdout, /sconce serve.*sconce inspect.*sconce predict/s);
    const serve = await sconce(["serve", "--help"]);
    assert.match(serve.stdout, /--port INTEGER {2}\(default 8080\)/);
    assert.match(serve.stdout, /--max-batch-size/);
  });

  test("a failed or interrupted quantization leaves no file behind", async () => {
    const folder = mkdtempSync(join(tmpdir(), "left-behind-"));
    const argv = ["quantize", `${MODELS_FOLDER}/digits.pt2`, "--int8", "-o", join(folder, "q.onnx")];
    try {
      const failed = await sconce([...argv, "--max-error", "0"]);
      assert.equal(failed.code, 1, failed.stderr);
      assert.match(failed.stderr, /nothing was written/);
      assert.deepEqual(readdirSync(folder), []);
      let end: unknown = 0;
      await until("one is interrupted before its end", async () => {
        const child = execFile(process.execPath, [BIN, ...argv]);
        const ended = once(child, "exit");
        while (readdirSync(folder).length === 0) await setTimeout(2);
        child.kill("SIGINT");
        const [code, signal] = await ended;
        end = signal ?? code;
        if (end === 0) rmSync(join(folder, "q.onnx"));
        return end !== 0;
      });
      assert.equal(end, 130);
      assert.deepEqual(readdirSync(folder), []);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("options without effect and unknown SCONCE_ variables are warned of", async () => {
    const env = { ...process.env, SCONCE_PROT: "1" };
    const argv = [BIN, "serve", MODELS_FOLDER, "--port", "0", "--max-loaded-models", "2"];
    const child = spawn(process.execPath, argv, { env, stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    const warned = new Promise<void>((resolve) => {
      child.stderr.on("data", (chunk) => {
        stderr += chunk;
        if (/--max-loaded-models has no effect without --lazy-loading/.test(stderr)) resolve();
      });
    });
    const ended = once(child, "exit");
    await Promise.race([warned, ended]);
    child.kill("SIGTERM");
    await ended;
    assert.match(stderr, /SCONCE_PROT has no effect; did you mean SCONCE_PORT\?/);
    assert.match(stderr, /--max-loaded-models has no effect without --lazy-loading/);
  });

  test("wrong usage exits with 2 and says what to do", async () => {
    for (const args of [
      ["serve"],
      ["serve", ".", "--prot", "1"],
      ["fly"],
      ["inspect"],
      ["predict", "x"],
      [],
    ]) {
      const { code } = await sconce(args);
      assert.equal(code, 2, args.join(" "));
    }
  });

  test("a public address without --insecure is refused before anything listens", async () => {
    const { code, stdout, stderr } = await sconce([
      "serve",
      MODELS_FOLDER,
      "--host",
      "0.0.0.0",
      "--port",
      "0",
    ]);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, /--host 0\.0\.0\.0 is reachable from other machines.*--insecure/);
  });
});
