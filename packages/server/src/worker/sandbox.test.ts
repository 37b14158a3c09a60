// Tests what a hostile program can do as a worker: with the sandbox nothing of what it can do without, and what a worker needs.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { systemClock } from "../base/clock.ts";
import { silentLogger } from "../base/logger.ts";
import { until } from "../base/until.kit.ts";
import { findSandbox } from "./find-sandbox.ts";
import { CALL_NUMBERS } from "./refused-calls.ts";
import { createSandbox, missingForSandbox, type Sandbox } from "./sandbox.ts";
import { nodeCommand, WorkerProcess } from "./worker-process.ts";

const folder = mkdtempSync(join(tmpdir(), "sconce-hostile-"));
const at = (...names: string[]): string => join(folder, ...names);
mkdirSync(at("root"));
mkdirSync(at("models"));
writeFileSync(at("models", "weights"), "weights");
writeFileSync(at("secret"), "CANARY");
const options = { reads: [at("models")], root: at("root") };
const bare = createSandbox(options);
const { sandbox = bare, missing, unfiltered } = findSandbox(options);

const listener = createServer((socket) => socket.destroy());
before(async () => {
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
});
after(() => {
  listener.close();
  rmSync(folder, { recursive: true });
});

const packages = fileURLToPath(new URL("../../..", import.meta.url));
const modules = fileURLToPath(new URL("../../../../node_modules", import.meta.url));

/** What each attempt comes to: "done", or the code of its error. */
interface Attempts {
  readonly [attempt: string]: string;
}

/** Runs as a worker would. `place` is the folder, `port` one of the machine's, `pid` the server process. */
const HOSTILE = `
const fs = require("node:fs"), net = require("node:net"), { execFileSync } = require("node:child_process");
const [place, port, pid, isHeld] = process.argv.slice(1);
const outcomes = {};
const attempt = (name, act) => { try { act(); outcomes[name] = "done"; } catch (error) { outcomes[name] = error.code ?? "failed"; } };
attempt("read the model", () => fs.readFileSync(place + "/models/weights"));
attempt("read a secret", () => fs.readFileSync(place + "/secret"));
attempt("read /etc/passwd", () => fs.readFileSync("/etc/passwd"));
attempt("read the server's environment", () => fs.readFileSync("/proc/" + pid + "/environ"));
attempt("list other processes", () => { if (fs.readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name)).length < 3) throw { code: "ALONE" }; });
attempt("write beside the model", () => fs.writeFileSync(place + "/models/own", "x"));
attempt("write the model", () => fs.writeFileSync(place + "/models/weights", "weights"));
attempt("write a file for others", () => fs.writeFileSync(place + "/found", "x"));
if (isHeld === "held") attempt("write its own temporary file", () => fs.writeFileSync(place + "-own", "x"));
attempt("change the kernel's settings", () => fs.writeFileSync("/proc/sys/kernel/core_pattern", fs.readFileSync("/proc/sys/kernel/core_pattern")));
attempt("signal the server", () => process.kill(Number(pid), 0));
// What would change the machine is not tried where nothing holds it.
if (isHeld === "held") attempt("make namespaces", () => execFileSync("/usr/bin/unshare", ["--user", "true"], { stdio: "ignore" }));
if (isHeld === "held") attempt("mount", () => execFileSync("/bin/mount", ["-t", "tmpfs", "x", place + "/models"], { stdio: "ignore" }));
const status = fs.readFileSync("/proc/self/status", "latin1");
outcomes.privileges = /CapEff:\\t(\\w+)/.exec(status)[1] + " " + /CapBnd:\\t(\\w+)/.exec(status)[1] + " " + /NoNewPrivs:\\t(\\d)/.exec(status)[1];
outcomes.descriptors = fs.readdirSync("/proc/self/fd").map((fd) => { try { return fs.readlinkSync("/proc/self/fd/" + fd); } catch { return ""; } }).filter((target) => target.includes(place)).join();
outcomes.environment = Object.keys(process.env).sort().join();
const socket = net.connect(Number(port), "127.0.0.1");
const end = (outcome) => { outcomes.connect = outcome; process.stdout.write(JSON.stringify(outcomes), () => process.exit()); };
socket.on("connect", () => end("done"));
socket.on("error", (error) => end(error.code));
`;

async function attempts(isSandboxed: boolean): Promise<Attempts> {
  const { port } = listener.address() as AddressInfo;
  const command = [
    process.execPath,
    "-e",
    HOSTILE,
    folder,
    String(port),
    String(process.pid),
    isSandboxed ? "held" : "free",
  ] as const;
  const [program, ...args] = isSandboxed ? sandbox.wrap(command) : command;
  const { stdout } = await promisify(execFile)(program, args, { env: { LANG: "C" } });
  return JSON.parse(stdout) as Attempts;
}

describe("a hostile program", { skip: missing }, () => {
  // The folder lies in what is the program's own /tmp there: what it writes beside its parts is not found by others.
  const MAY = ["read the model", "write a file for others", "write its own temporary file"];

  test("can read the model and write a file of its own, and nothing else", async () => {
    const { privileges, descriptors, environment, ...outcomes } = await attempts(true);
    const done = Object.keys(outcomes).filter((name) => outcomes[name] === "done");
    assert.deepEqual(done.sort(), MAY);
    assert.equal(outcomes["read a secret"], "ENOENT");
    assert.equal(outcomes["write the model"], "EROFS");
    assert.equal(outcomes["signal the server"], "ESRCH");
    assert.match(privileges!, /^0+ 0+ 1$/);
    assert.equal(descriptors, "");
    assert.equal(environment, "LANG");
    assert.ok(!existsSync(`${folder}-own`) && !existsSync(at("found")));
    assert.deepEqual(readdirSync(at("root")), [], "what is mounted there is nobody else's to see");
  });

  test("without the sandbox it can do what the server's user can", async () => {
    const outcomes = await attempts(false);
    for (const name of [
      "read a secret",
      "read the server's environment",
      "write the model",
      "connect",
      "signal the server",
    ]) {
      assert.equal(outcomes[name], "done", name);
    }
    rmSync(at("found"), { force: true });
    rmSync(at("models", "own"), { force: true });
  });

  test("is a worker all the same: it is asked, measured by its own memory, and killed with what it started", async () => {
    const served = new URL("./serve-worker.js", import.meta.url);
    const entry = at("models", "worker.mjs");
    writeFileSync(
      entry,
      `import { serveWorker } from ${JSON.stringify(served.href)};\nserveWorker(() => ({ header: new Uint8Array(), payload: [] }));\n`,
    );
    const worker = new WorkerProcess({
      id: "w",
      command: nodeCommand(pathToFileURL(entry)),
      env: {},
      sandbox: findSandbox({ reads: [at("models"), packages, modules], root: at("root") }).sandbox,
      clock: systemClock,
      logger: silentLogger,
      startTimeoutMs: 60_000,
    });
    await worker.ready;
    const { pid } = worker;
    assert.ok(existsSync(`/proc/${pid}`));
    worker.destroy("the test is over");
    await worker.ended;
    await until("the worker is gone", () => !existsSync(`/proc/${pid}`));
  });
});

const PERL = "/usr/bin/perl";
/** Makes each call that is named by its number, with nothing but zeros, and says its error: 0 for none. */
const CALLS = `$| = 1; for my $call (@ARGV) { $! = 0; my $done = syscall($call, 0, 0, 0, 0, 0, 0); print $done < 0 ? $! + 0 : 0, "\\n" }`;
const SOCKETS = `use Socket; for my $family (@ARGV) { $! = 0; print socket(my $one, $family, SOCK_STREAM, 0) ? 0 : $! + 0, "\\n" }`;
const [ENOSYS, EAFNOSUPPORT] = [38, 97];

function errorsOf(within: Sandbox, script: string, values: readonly number[]): number[] {
  const [program, ...args] = within.wrap([PERL, "-e", script, "--", ...values.map(String)]);
  return execFileSync(program, args, { env: { LANG: "C" }, encoding: "utf8" })
    .trim()
    .split("\n")
    .map(Number);
}

describe("system calls", { skip: missing ?? unfiltered ?? !existsSync(PERL) }, () => {
  const { refused } = CALL_NUMBERS[process.arch]!;
  const names = Object.keys(refused);

  test("that no worker needs do not exist in the sandbox, and do without its filter", () => {
    const errors = errorsOf(sandbox, CALLS, Object.values(refused));
    const made = names.filter((_, i) => errors[i] !== ENOSYS);
    assert.deepEqual(made, []);
    const free = errorsOf(bare, CALLS, Object.values(refused));
    const known = names.filter((_, i) => free[i] !== ENOSYS);
    for (const name of ["ptrace", "mount", "unshare", "setns", "chroot", "personality"])
      assert.ok(known.includes(name), `without the filter there is ${name}`);
  });

  test("for sockets make none of a family but that of files", () => {
    // AF_UNIX, AF_INET, AF_NETLINK; the last two could be made in a network without devices.
    const families = [1, 2, 16];
    assert.deepEqual(errorsOf(sandbox, SOCKETS, families), [0, EAFNOSUPPORT, EAFNOSUPPORT]);
    assert.deepEqual(errorsOf(bare, SOCKETS, families.slice(0, 2)), [0, 0]);
  });
});

test("a machine without namespaces is told apart in words", () => {
  const broken = createSandbox({ reads: [], root: join(folder, "nowhere") });
  const why = missingForSandbox(broken);
  assert.match(
    why!,
    /^(the system refuses user namespaces or mounts in them|it needs Linux|the program unshare)/,
  );
});
