// Tests packages/server/python and packages/server/src/runtime/python with PyTorch, on the built server.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { DIGITS_FOLDER, MODELS_FOLDER } from "./expected-digits.ts";
import { pythonOrReason, runPython } from "./python.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";
import { until } from "./until.kit.ts";

const MAKE = fileURLToPath(new URL("../../scripts/python/python_runtime_models.py", import.meta.url));
const TOLERANCE = { relative: 1e-4, absolute: 1e-5 };

interface TensorJson {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Case {
  readonly model: string;
  readonly inputs: readonly TensorJson[];
  readonly outputs: readonly TensorJson[];
}

interface Reply {
  readonly status: number;
  readonly body: {
    readonly outputs?: readonly TensorJson[];
    readonly error?: string;
    readonly reason?: string;
  };
}

async function infer(server: ServerProcess, model: string, inputs: readonly TensorJson[]): Promise<Reply> {
  const response = await fetch(`${server.url}/v2/models/${model}/infer`, {
    method: "POST",
    body: JSON.stringify({ inputs }),
  });
  return { status: response.status, body: (await response.json()) as Reply["body"] };
}

function assertClose(got: TensorJson | undefined, want: TensorJson, where: string): void {
  assert.ok(got !== undefined, `${where}: there is no output ${want.name}`);
  assert.deepEqual([got.datatype, got.shape], [want.datatype, want.shape], where);
  for (const [i, value] of want.data.entries()) {
    const bound = TOLERANCE.absolute + TOLERANCE.relative * Math.abs(value);
    assert.ok(Math.abs(got.data[i]! - value) <= bound, `${where}[${i}] is ${got.data[i]}, not ${value}`);
  }
}

/** One row for the model that misbehaves: what it is to do. */
const order = (code: number): TensorJson[] => [{ name: "code", datatype: "INT64", shape: [1], data: [code] }];
const ORDERS = {
  obey: 0,
  raise: 1,
  exit: 2,
  hang: 3,
  allocate: 4,
  leave: 5,
  shout: 6,
  thread: 7,
  stop: 8,
} as const;

const MISBEHAVING = `
import ctypes, os, sys, threading, time
import torch

class Misbehaving(torch.nn.Module):
    def forward(self, code: "int64[1]"):
        order = int(code)
        if order == 1:
            raise ValueError("the secret is in /etc/passwd")
        if order == 2:
            os._exit(3)
        if order == 3:
            # A call that never returns, and lets no other thread run.
            ctypes.PyDLL(None).sleep(100_000)
        if order == 4:
            self.kept = [torch.ones(64, 1024, 1024) for _ in range(100)]
        if order == 5:
            sys.exit(1)
        if order == 6:
            end = time.monotonic() + 2
            while time.monotonic() < end:
                for _ in range(20):
                    print("noise " * 20)
                time.sleep(0.01)
        if order == 7:
            threading.Thread(target=lambda: time.sleep(1000)).start()
        if order == 8:
            torch.nn.Linear(3, 3)(torch.ones(1, 4))
        return code + 1
`;

const python = pythonOrReason();

describe("models that stay Python", { skip: "skip" in python && python.skip, timeout: 600_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-python-runtime-"));
  let server: ServerProcess;
  let cases: readonly Case[] = [];

  before(async () => {
    if ("skip" in python) return;
    cases = JSON.parse(await runPython(python.path, [MAKE, join(folder, "models")])) as Case[];
    server = await startServerProcess([
      join(folder, "models"),
      "--python",
      python.path,
      "--lazy-loading",
      "--max-loaded-models",
      "2",
      "--load-timeout",
      "10m",
      "--readiness",
      "settled",
    ]);
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true });
  });

  test("the answers are those of eager PyTorch", async () => {
    assert.ok(cases.length >= 10, `${cases.length} cases`);
    for (const { model, inputs, outputs } of cases) {
      const { status, body } = await infer(server, model, inputs);
      assert.equal(status, 200, `${model}: ${body.error}`);
      for (const want of outputs)
        assertClose(
          body.outputs?.find(({ name }) => name === want.name),
          want,
          `${model}.${want.name}`,
        );
    }
  });

  test("a model computes on a CUDA device", {
    skip: !existsSync("/dev/nvidia0") && "there is no CUDA device",
  }, async () => {
    const { body } = await infer(server, "random", cases.find(({ model }) => model === "random")!.inputs);
    assert.deepEqual(body.outputs?.find(({ name }) => name === "on_cuda")?.data, [1]);
  });

  test("random numbers differ from call to call", async () => {
    const inputs = cases.find(({ model }) => model === "random")!.inputs;
    const draw = async (): Promise<unknown> =>
      (await infer(server, "random", inputs)).body.outputs?.find(({ name }) => name === "other")?.data;
    assert.notDeepEqual(await draw(), await draw());
  });

  test("which runtime was chosen, and why, is in the log and the configuration", async () => {
    const backend = async (model: string): Promise<unknown> => {
      await infer(server, model, cases.find((one) => one.model === model)!.inputs);
      const response = await fetch(`${server.url}/v2/models/${model}/config`);
      return ((await response.json()) as { backend: string }).backend;
    };
    assert.equal(await backend("translated"), "onnx");
    assert.equal(await backend("forced"), "python");
    assert.equal(await backend("exported"), "python");
    const log = server.output();
    assert.match(
      log,
      /ready: it is a program of torch\.export, run by PyTorch \S+: the program cannot be translated to ONNX, because of aten\.linalg_eig/,
    );
    assert.match(log, /ready: it is the class Net of model\.py, run by PyTorch/);
  });

  for (const [model, pattern] of [
    [
      "mismatch",
      /the weights in weights\.pth are not those of Net of model\.py: the file lacks enter\.bias, .*the class lacks stray; enter\.weight is \[8, 5\] in the file and \[8, 4\] in the class/,
    ],
    ["silent", /model\.py does not say what the model takes: .* inputs: \{image: "float32\[batch, 3\]"\}/],
    ["faulty", /model\.py cannot be imported: ValueError: this code in secret is not ready$/],
    ["python-only", /cannot be translated to ONNX, because of aten\.linalg_eig/],
    ["pickled", /weights without a program/],
    ["leaving", /model\.yaml asks for the interpreter .*--allow-model-python/],
  ] as const) {
    test(`a model that cannot be served says why in a sentence (${model})`, async () => {
      const { status, body } = await infer(server, model, order(0));
      assert.ok(status >= 400, `${status}`);
      assert.match(body.error ?? "", pattern);
      assert.doesNotMatch(body.error ?? "", /Traceback/);
    });
  }

  test("the traceback of a model's own code is in the log, whole", () => {
    assert.match(
      server.output(),
      /Traceback \(most recent call last\).*model\.py.*this code in \/a\/secret is not ready/s,
    );
  });
});

describe("a model that misbehaves", { skip: "skip" in python && python.skip, timeout: 600_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-python-misbehaving-"));
  const code = join(folder, "misbehaving/model.py");
  let server: ServerProcess;
  /** Requests to the other model while this one misbehaves. */
  const others: Promise<number>[] = [];
  const pixels = (
    JSON.parse(readFileSync(join(DIGITS_FOLDER, "request.json"), "utf8")) as { inputs: TensorJson[] }
  ).inputs;

  const askOther = (): void => {
    others.push(infer(server, "digits", pixels).then(({ status }) => status));
  };
  /** What it answers to an order while the other model is asked. */
  async function told(name: keyof typeof ORDERS): Promise<Reply> {
    const reply = infer(server, "misbehaving", order(ORDERS[name]));
    askOther();
    return reply;
  }
  const isBack = async (): Promise<boolean> => (await infer(server, "misbehaving", order(0))).status === 200;

  before(async () => {
    if ("skip" in python) return;
    mkdirSync(join(folder, "misbehaving"));
    writeFileSync(code, MISBEHAVING);
    writeFileSync(join(folder, "misbehaving/model.yaml"), "execution_timeout: 5s\nmemory_limit: 1GiB\n");
    writeFileSync(join(folder, "digits.pt2"), readFileSync(join(MODELS_FOLDER, "digits.pt2")));
    const pickled = join(folder, "pickled");
    mkdirSync(pickled);
    writeFileSync(join(pickled, "model.yaml"), 'inputs: {input: "float32[batch, 2]"}\n');
    await runPython(python.path, [
      "-c",
      `import torch; torch.save(torch.nn.Softmax(-1), ${JSON.stringify(join(pickled, "whole.pth"))})`,
    ]);
    server = await startServerProcess([
      folder,
      "--allow-pickle",
      "--python",
      python.path,
      "--model-control",
      "poll",
      "--poll-interval",
      "500ms",
    ]);
  });
  after(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true });
  });

  test("a whole module that was pickled is served where the operator allows it", async () => {
    const input = { name: "input", datatype: "FP32", shape: [1, 2], data: [1, 1] };
    const { status, body } = await infer(server, "pickled", [input]);
    assert.equal(status, 200, body.error);
    assert.deepEqual(body.outputs?.[0]?.data, [0.5, 0.5]);
  });

  test("an error is told in a sentence, without its words, and the log has the traceback", async () => {
    const { status, body } = await told("raise");
    assert.equal(status, 500);
    assert.equal(body.reason, "model_failed");
    assert.equal(
      body.error,
      "the model raised ValueError at line 9 of model.py; the server's log has the traceback",
    );
    await until("it is logged", () => server.output().includes("the secret is in /etc/passwd"));
    assert.equal((await told("leave")).status, 500, "sys.exit() is an error like any other");
    const wrong = await told("stop");
    assert.deepEqual([wrong.status, wrong.body.reason], [400, "invalid_input"]);
    assert.ok(await isBack());
  });

  for (const name of ["exit", "hang", "allocate"] as const) {
    test(`it may ${name}: it comes back, and the other model does not notice`, async () => {
      assert.ok(await isBack());
      const { status } = await told(name);
      assert.ok(status >= 400, `${status}`);
      await until("it is back", isBack);
    });
  }

  test("endless output is cut, and threads that never end do not keep the worker", async () => {
    assert.equal((await told("thread")).status, 200);
    assert.equal((await told("shout")).status, 200);
    await until("the log says what was left out", () =>
      /\(\d+ more lines were left out\)/.test(server.output()),
    );
    assert.ok(server.output().split("noise noise").length < 100 * 21 * 10, "the log is not full of it");
  });

  test("other code, moved into its place, is served without a failed request", async () => {
    const next = join(folder, "next.py");
    writeFileSync(next, MISBEHAVING.replace("code + 1", "code + 10"));
    writeFileSync(code, readFileSync(next));
    const answers: number[] = [];
    await until("the new code answers", async () => {
      const { status, body } = await infer(server, "misbehaving", order(0));
      assert.equal(status, 200, body.error);
      answers.push(body.outputs![0]!.data[0]!);
      return answers.at(-1) === 10;
    });
  });

  test("nobody noticed", async () => {
    assert.deepEqual([...new Set(await Promise.all(others))], [200]);
    assert.equal((await fetch(`${server.url}/v2/health/live`)).status, 200);
  });
});

test("without an interpreter, or without PyTorch in it, a sentence says so", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sconce-no-python-"));
  mkdirSync(join(folder, "model"));
  writeFileSync(join(folder, "model/model.py"), "import torch\n");
  const fake = join(folder, "no-torch");
  writeFileSync(fake, `#!/bin/sh\nexec python3 -S "$@"\n`, { mode: 0o755 });
  try {
    for (const [name, pattern] of [
      [join(folder, "none"), /the interpreter none does not exist: install Python with PyTorch/],
      [fake, /the interpreter python\S* has no PyTorch: run its `-m pip install torch`/],
    ] as const) {
      const server = await startServerProcess([folder, "--readiness", "settled"], {
        until: "listening",
        env: { SCONCE_PYTHON: name },
      });
      await until("it was tried", async () => {
        const response = await fetch(`${server.url}/v2/models/model`);
        return pattern.test(((await response.json()) as { error?: string }).error ?? "");
      });
      await server.stop();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
