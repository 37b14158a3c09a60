// Tests `sconce serve` as a process: what ends its start, and what signals and lost output do to it.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { expectedDigits, MODELS_FOLDER, nestedImage } from "./expected-digits.ts";
import { freePort } from "./free-port.ts";
import { startServerProcess } from "./server-process.ts";
import { until } from "./until.kit.ts";

const BIN = fileURLToPath(new URL("../../packages/server/bin/sconce.js", import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly stderr: string;
}

async function ended(child: ChildProcess): Promise<Ended> {
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stderr };
}

function serve(...args: string[]): Promise<Ended> {
  return ended(spawn(process.execPath, [BIN, "serve", ...args], { stdio: ["ignore", "ignore", "pipe"] }));
}

async function takenPort(use: (port: number) => Promise<void>): Promise<void> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  try {
    await use(typeof address === "object" && address !== null ? address.port : 0);
  } finally {
    server.close();
  }
}

function assertOneLine({ code, stderr }: Ended, expectedCode: number, text: RegExp): void {
  const lines = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
  assert.equal(lines.length, 1, stderr);
  assert.match(lines[0]!, text);
  assert.equal(code, expectedCode);
}

describe("a start that fails is one line and an exit code", () => {
  test("a path that does not exist", async () => {
    assertOneLine(
      await serve("/nowhere/models", "--port", "0"),
      2,
      /\/nowhere\/models: no such file or folder/,
    );
  });

  test("a port that is taken, and a health port", async () => {
    await takenPort(async (port) => {
      assertOneLine(
        await serve(MODELS_FOLDER, "--port", `${port}`),
        1,
        /--port: port \d+ of 127\.0\.0\.1 is in use/,
      );
      const address = `127.0.0.1:${port}`;
      const args = [MODELS_FOLDER, "--port", "0", "--health-address", address];
      assertOneLine(await serve(...args), 1, /--health-address: port \d+ of 127\.0\.0\.1 is in use/);
    });
  });

  test("an address of another machine, and a name that does not resolve", async () => {
    const at = (host: string): Promise<Ended> =>
      serve(MODELS_FOLDER, "--port", "0", "--insecure", "--host", host);
    assertOneLine(await at("203.0.113.7"), 1, /no interface of this machine has the address 203\.0\.113\.7/);
    assertOneLine(await at("no.such.host.invalid"), 1, /neither an address nor a name/);
  });

  test("too few descriptors", async () => {
    const script = `ulimit -n 64; exec "${process.execPath}" "${BIN}" serve "${MODELS_FOLDER}" --port 0`;
    const child = spawn("sh", ["-c", script], { stdio: ["ignore", "ignore", "pipe"] });
    assertOneLine(await ended(child), 1, /only 64 files may be open at once/);
  });
});

test("[::1] is loopback, in brackets too", async (t) => {
  const server = await startServerProcess([MODELS_FOLDER, "--host", "[::1]"], { until: "listening" }).catch(
    (error: Error) => error,
  );
  if (server instanceof Error) {
    assert.match(server.message, /no interface of this machine has the address ::1/);
    t.skip("this machine has no IPv6");
    return;
  }
  assert.match(server.url, /^http:\/\/\[::1\]:/);
  await server.stop();
});

describe("signals", () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
    test(`${signal} drains and exits with 0`, async () => {
      const server = await startServerProcess([MODELS_FOLDER], { until: "listening" });
      assert.equal((await server.stop(signal)).code, 0);
    });
  }

  test("SIGHUP reads the configuration again, and the server goes on", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sighup-"));
    const file = join(folder, "sconce.yaml");
    writeFileSync(file, "tenant_header: x-tenant\nlog_level: info\n");
    const server = await startServerProcess([MODELS_FOLDER, "--config", file]);
    const ask = (): Promise<Response> =>
      fetch(`${server.url}/predict/digits`, {
        method: "POST",
        headers: { "x-tenant": "a" },
        body: JSON.stringify({ input: nestedImage(expectedDigits().digits[0]!) }),
      });
    for (let i = 0; i < 3; i++) assert.equal((await ask()).status, 200);
    writeFileSync(
      file,
      "tenant_header: x-tenant\ntenant_quota: 0.01\ntenant_quota_burst: 1\nlog_level: warn\nport: 9\n",
    );
    process.kill(server.pid, "SIGHUP");
    await until("the quota holds", async () => (await ask()).status === 429);
    process.kill(server.pid, "SIGUSR2");
    writeFileSync(file, "frobnicate: 1\n");
    process.kill(server.pid, "SIGHUP");
    await until("the mistake is logged", () => /unknown key \\?"frobnicate/.test(server.output()));
    assert.doesNotMatch(server.output(), /as SIGUSR2 asked/, "the log level is warn now");
    assert.equal((await ask()).status, 429, "what was read before stays in force");
    assert.equal((await server.stop()).code, 0);
    rmSync(folder, { recursive: true });
  });

  test("SIGTERM before the port is open exits with 0", async () => {
    // The program is read from its beginning on; a signal before that is Node's.
    const child = spawn(process.execPath, [BIN, "serve", MODELS_FOLDER, "--port", "0"], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      env: { ...process.env, NODE_OPTIONS: `--import=${TELL_WHEN_TAKEN}` },
    });
    await once(child, "message");
    child.kill("SIGTERM");
    assert.equal((await ended(child)).code, 0);
  });

  test("SIGUSR1 opens no debugger, SIGUSR2 says in the log what is served; neither ends the server", async () => {
    const server = await startServerProcess([MODELS_FOLDER]);
    process.kill(server.pid, "SIGUSR1");
    process.kill(server.pid, "SIGUSR2");
    await until("the status is logged", () => /"models":\[\{"name":"digits"/.test(server.output()));
    assert.doesNotMatch(server.output(), /Debugger listening/);
    assert.ok((await fetch(`${server.url}/v2/health/ready`)).ok);
    await server.stop();
  });
});

describe("started by others", () => {
  const listening = async (child: ChildProcess): Promise<string> => {
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk: Buffer) => {
        output += chunk.toString();
      });
    let url: string | undefined;
    await until("it listens", () => {
      url = /listens on (http:\S+)/.exec(output)?.[1];
      return url !== undefined;
    });
    outputs.set(child, () => output);
    return url!;
  };
  const outputs = new Map<ChildProcess, () => string>();

  test("nohup: SIGHUP does not end it, SIGTERM does", async () => {
    const script = `nohup "${process.execPath}" "${BIN}" serve "${MODELS_FOLDER}" --port 0`;
    const child = spawn("bash", ["-c", script], { stdio: ["ignore", "pipe", "pipe"] });
    const url = await listening(child);
    child.kill("SIGHUP");
    child.kill("SIGUSR2");
    await until("a later signal was taken", () => /as SIGUSR2 asked/.test(outputs.get(child)!()));
    assert.ok((await fetch(`${url}/v2/health/live`)).ok);
    child.kill("SIGTERM");
    assert.equal(((await once(child, "exit")) as [number | null])[0], 0);
  });

  test("npm start: SIGTERM to npm ends the server, which says at its start how to run it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "npm-start-"));
    const start = `"${process.execPath}" "${BIN}" serve "${MODELS_FOLDER}" --port 0`;
    writeFileSync(
      join(folder, "package.json"),
      JSON.stringify({ name: "app", private: true, scripts: { start } }),
    );
    const child = spawn("npm", ["start"], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    try {
      const url = await listening(child);
      assert.match(outputs.get(child)!(), /npm started this server without a terminal/);
      child.kill("SIGTERM");
      const isGone = (): Promise<boolean> =>
        fetch(url).then(
          () => false,
          () => true,
        );
      await until("nobody listens any more", isGone);
    } finally {
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true });
    }
  });
});

test("a second start finds the translations of the first, and says the same of its models", async () => {
  const folder = mkdtempSync(join(tmpdir(), "translations-"));
  const env = { SCONCE_TRANSLATION_CACHE: folder };
  try {
    const starts = [];
    for (let i = 0; i < 2; i++) {
      const server = await startServerProcess([MODELS_FOLDER], { env });
      const metadata = await (await fetch(`${server.url}/v2/models/digits`)).json();
      starts.push({ metadata, isTranslated: /"?translate"?:/.test(server.output()) });
      await server.stop();
    }
    assert.deepEqual(
      starts.map(({ isTranslated }) => isTranslated),
      [true, false],
    );
    assert.deepEqual(starts[1]!.metadata, starts[0]!.metadata);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Lines and tabs are what a text is made of. */
const CONTROLS = /(?![\n\t])\p{Cc}|\u202e/u;

test("control characters of names never reach the terminal, be it as table, log or error", async () => {
  const folder = mkdtempSync(join(tmpdir(), "control-"));
  const evil = "\u001b[31mred\u0007\u009b2J\u202eder";
  mkdirSync(join(folder, evil, "1"), { recursive: true });
  mkdirSync(join(folder, "yaml"));
  writeFileSync(join(folder, `${evil}.onnx`), "no model");
  writeFileSync(join(folder, "yaml", "model.onnx"), "");
  writeFileSync(join(folder, "yaml", "model.yaml"), JSON.stringify({ [evil]: evil }));
  const server = await startServerProcess([folder], { until: "listening" });
  try {
    await until("the table is there", () => /models ready after/.test(server.output()));
    process.kill(server.pid, "SIGUSR2");
    await until("the status is logged", () => /as SIGUSR2 asked/.test(server.output()));
    assert.match(server.output(), /x1b\[31mred/);
    assert.doesNotMatch(server.output(), CONTROLS);
    assertOneLine(await serve(join(folder, `${evil}-not-there`)), 2, /no such file or folder/);
    assert.doesNotMatch((await serve(`--${evil}`, folder)).stderr, CONTROLS);
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
});

/** Sends a message when the program has taken SIGTERM over. */
const TELL_WHEN_TAKEN = `data:text/javascript,${encodeURIComponent(
  'process.on("newListener", (name) => { if (name === "SIGUSR2") process.send("taken", () => process.disconnect()); });',
)}`;

describe("output that nobody takes", () => {
  test("a reader that leaves (| head -1) does not end the server", async () => {
    const child = spawn(process.execPath, [BIN, "serve", MODELS_FOLDER, "--port", "0"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [first] = (await once(child.stdout, "data")) as [Buffer];
    const url = /listens on (http:\S+)/.exec(first.toString())?.[1];
    child.stdout.destroy();
    child.stderr.destroy();
    const ready = async (): Promise<boolean> => (await fetch(`${url}/v2/health/ready`)).ok;
    await until("the models are ready", ready);
    // One line to each of the closed pipes: the table of models came before.
    child.kill("SIGUSR2");
    await fetch(`${url}/v2`);
    assert.ok(await ready());
    child.kill("SIGTERM");
    const [code] = (await once(child, "exit")) as [number | null];
    assert.equal(code, 0);
  });

  test("a full disk does not end the server", async () => {
    const port = await freePort();
    const script = `exec "${process.execPath}" "${BIN}" serve "${MODELS_FOLDER}" --port ${port} >/dev/full 2>/dev/full`;
    const child = spawn("sh", ["-c", script], { stdio: "ignore" });
    const exited = once(child, "exit");
    const url = `http://127.0.0.1:${port}/v2/health/ready`;
    await until("it is ready", async () => (await fetch(url).catch(() => undefined))?.ok === true);
    child.kill("SIGUSR2");
    assert.ok((await fetch(url)).ok);
    child.kill("SIGTERM");
    assert.deepEqual((await exited)[0], 0);
  });
});
