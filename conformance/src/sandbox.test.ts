// Tests the built server with --sandbox: models of ONNX Runtime and PyTorch are served from it, and a model whose code is hostile gets nothing out of it.
import assert from "node:assert/strict";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { expectedDigits, MODELS_FOLDER, nestedImage } from "./expected-digits.ts";
import { findSandbox } from "./internals/sandbox.ts";
import { pythonOrReason } from "./python.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-sandboxed-"));
const at = (...names: string[]): string => join(folder, ...names);
const python = pythonOrReason();
mkdirSync(at("root"));
const { missing, unfiltered } = findSandbox({ reads: [], root: at("root") });
const CANARY = "CANARY-of-the-server";

/** Tells for each attempt whether it came to anything. Each is a thing that code of a model could want to do. */
const hostile = (port: number): string => `
import ctypes, os, signal, socket
import torch

kernel = ctypes.CDLL(None)

def attempt(act):
    try:
        return 1 if act() is not False else 0
    except BaseException:
        return 0

def connect():
    socket.create_connection(("127.0.0.1", ${port}), timeout=5).close()

def write(path):
    with open(path, "w") as file:
        file.write("x")

class Hostile(torch.nn.Module):
    def forward(self, pid: "int64[1]"):
        server = int(pid)
        outcomes = [
            attempt(lambda: open("/tmp/own", "w").close()),
            attempt(lambda: open(${JSON.stringify(at("secret"))}).read()),
            attempt(lambda: open("/etc/passwd").read()),
            attempt(lambda: open(f"/proc/{server}/environ", "rb").read()),
            attempt(lambda: write(os.path.join(os.path.dirname(__file__), "model.py"))),
            attempt(connect),
            attempt(lambda: os.kill(server, 0)),
            attempt(lambda: "${CANARY}" in str(os.environ)),
            attempt(lambda: kernel.ptrace(0, 0, 0, 0) == 0),
            attempt(lambda: kernel.unshare(0) == 0),
            attempt(lambda: socket.socket(socket.AF_INET).close()),
        ]
        return torch.tensor(outcomes, dtype=torch.int64)
`;
const ATTEMPTS = [
  "own file",
  "secret",
  "/etc/passwd",
  "environment",
  "its own code",
  "connect",
  "signal",
  "canary",
  "trace",
  "namespaces",
  "socket",
];
/** What the namespaces alone do not keep it from. */
const UNFILTERED = ["trace", "namespaces", "socket"];

describe("a server with a sandbox", { skip: missing, timeout: 300_000 }, () => {
  const listener = createServer((socket) => socket.destroy());
  let server: ServerProcess;
  before(async () => {
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    mkdirSync(at("models", "hostile"), { recursive: true });
    writeFileSync(at("secret"), "secret");
    copyFileSync(join(MODELS_FOLDER, "digits.pt2"), at("models", "digits.pt2"));
    if ("path" in python)
      writeFileSync(at("models", "hostile", "model.py"), hostile((listener.address() as AddressInfo).port));
    else rmSync(at("models", "hostile"), { recursive: true });
    const own = "path" in python ? ["--python", python.path, "--allow-model-python"] : [];
    server = await startServerProcess([at("models"), "--sandbox", "required", ...own], {
      env: { SCONCE_ADMIN_TOKEN: CANARY, SECRET: CANARY },
    });
  });
  after(async () => {
    await server?.stop();
    listener.close();
    rmSync(folder, { recursive: true });
  });

  async function digits(): Promise<number> {
    const body = JSON.stringify({ input: nestedImage(expectedDigits().digits[0]!) });
    return (await fetch(`${server.url}/predict/digits`, { method: "POST", body })).status;
  }

  test("ONNX Runtime serves from it, and its worker's memory is its own", async () => {
    assert.equal(await digits(), 200);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    const [, bytes] = /sconce_worker_resident_bytes\{[^}]*model="digits"[^}]*\} (\S+)/.exec(metrics) ?? [];
    assert.ok(Number(bytes) > 16 * 2 ** 20, `${bytes} bytes are those of no worker`);
  });

  test("a worker has no variable and no open file of the server's", () => {
    const workers = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && isWorkerOf(server.pid, name));
    assert.ok(workers.length > 0);
    for (const pid of workers) {
      assert.ok(!readFileSync(`/proc/${pid}/environ`, "latin1").includes(CANARY));
      assert.ok(!readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(CANARY));
    }
    assert.ok(!server.output().includes(CANARY));
  });

  test("a worker that is killed comes back in it", async () => {
    const [pid] = readdirSync("/proc").filter(
      (name) => /^\d+$/.test(name) && isWorkerOf(server.pid, name, "worker-main"),
    );
    process.kill(Number(pid), "SIGKILL");
    assert.equal(await digits(), 200);
  });

  test("a hostile model gets a temporary file and nothing else", {
    skip: "skip" in python && python.skip,
  }, async () => {
    const inputs = [{ name: "pid", datatype: "INT64", shape: [1], data: [server.pid] }];
    const response = await fetch(`${server.url}/v2/models/hostile/infer`, {
      method: "POST",
      body: JSON.stringify({ inputs }),
    });
    const body = (await response.json()) as { outputs?: { data: number[] }[] };
    assert.equal(response.status, 200, JSON.stringify(body));
    const done = ATTEMPTS.filter((_, i) => body.outputs![0]!.data[i] === 1);
    assert.deepEqual(done, ["own file", ...(unfiltered === undefined ? [] : UNFILTERED)]);
    assert.ok(!existsSync("/tmp/own"));
  });
});

/** Whether a process descends from the server, and is a worker by its command. */
function isWorkerOf(server: number, pid: string, word = ""): boolean {
  try {
    if (!readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(word)) return false;
    for (let next = Number(pid); next > 1; ) {
      const [, parent] = /\nPPid:\t(\d+)/.exec(readFileSync(`/proc/${next}/status`, "latin1")) ?? [];
      next = Number(parent);
      if (next === server) return true;
    }
  } catch {
    // It has gone.
  }
  return false;
}
