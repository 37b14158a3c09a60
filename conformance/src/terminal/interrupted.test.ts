// Tests every command that takes time, at a terminal and in the middle of its work: it says what it does; Ctrl-C and SIGTERM end it with their own exit code;
// and no output, no temporary file and no process of it stays behind. The same of outputs that cannot be written. A new command needs a line in the tables.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { MODELS_FOLDER } from "../expected-digits.ts";
import { until } from "../until.kit.ts";
import { BIN, noTerminal, onTerminal, screen } from "./terminal.kit.ts";

type Signal = "SIGINT" | "SIGTERM";

/** A command that does not get on, for as long as the test wants. */
interface Stuck {
  readonly line: string;
  /** What it says that it is doing. */
  readonly shows: RegExp;
  /** Default: Ctrl-C alone. */
  readonly signals?: readonly Signal[];
  /** How it ends. Default: 128 and the signal's number. */
  readonly code?: number;
}

/** Without a word it is done before anybody could press Ctrl-C. */
type AtOnce = "at once";

const BOTH = ["SIGINT", "SIGTERM"] as const;
/** The harder one: a terminal sends Ctrl-C to everything that the command started as well. */
const TERM = ["SIGTERM"] as const;
const NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;

/**
 * `slow` is a model whose Python never answers, `SILENT` a server that answers nothing, `pipe` a file that has no beginning: what one of them is waited for stands for
 * all work of a command that takes long.
 */
const STUCK: Readonly<Record<string, AtOnce | readonly Stuck[]>> = {
  serve: [{ line: "serve slow --port 0", shows: /loading|starting/, signals: TERM, code: 0 }],
  inspect: [{ line: "inspect pipe.pt2", shows: /reading pipe\.pt2/ }],
  predict: [
    { line: "predict slow --input row.json", shows: /loading slow/, signals: BOTH },
    { line: "predict digits --input row.json --url SILENT", shows: /asking http/ },
  ],
  convert: [{ line: "convert pipe.pt2 -o out.onnx", shows: /reading and translating/ }],
  bench: [{ line: "bench digits --url SILENT --html out.html", shows: /asking http/ }],
  why: [
    { line: "why slow", shows: /reaching slow/, signals: TERM },
    { line: "why digits --url SILENT", shows: /asking http/ },
  ],
  tune: [{ line: "tune slow --slo p99=1s", shows: /starting slow/, signals: TERM }],
  profile: [
    { line: "profile slow --flame out.json", shows: /loading slow/, signals: TERM },
    { line: "profile --server SILENT -o out.cpuprofile", shows: /asking http/ },
  ],
  list: [{ line: "list --url SILENT", shows: /asking http/ }],
  check: [{ line: "check slow", shows: /loading what is in slow/, signals: TERM }],
  init: [{ line: "init pipe.pt2 -o out.yaml", shows: /reading pipe\.pt2/ }],
  completion: "at once",
  export: [{ line: "export slow -o out.pt2", shows: /exporting slow/, signals: TERM }],
  verify: [
    {
      line: "verify digits.pt2 --python slow/.venv/bin/python",
      shows: /loading digits\.pt2 with PyTorch/,
      signals: TERM,
    },
  ],
  migrate: "at once",
  curl: [{ line: "curl digits --url SILENT", shows: /asking http/ }],
  types: [{ line: "types SILENT -o out.d.ts", shows: /asking http/ }],
  quantize: [
    {
      line: "quantize digits.pt2 --int8 -o out.onnx --input pipe.json",
      shows: /loading the float model/,
      signals: BOTH,
    },
  ],
  doctor: [
    { line: "doctor --python slow/.venv/bin/python", shows: /looking at this machine/, signals: TERM },
  ],
  rollout: [{ line: "rollout digits --url SILENT", shows: /asking http/ }],
  keys: [{ line: "keys usage --url SILENT", shows: /asking http/ }],
};

/** Commands with an output, where no file may grow: what is left of it, and of what it replaces, is what was there. */
const FULL = [
  "convert digits.pt2 -o out.onnx",
  "quantize digits.pt2 --int8 -o out.onnx",
  "init digits.pt2 -o out.yaml",
  "keys add --api-keys out.keys --name ci",
  "types EMPTY -o out.d.ts",
  "migrate triton --write",
  "bench EMPTY/predict/digits --input nothing.json --html out.html --connections 1 --max-requests 1",
  "profile --server EMPTY -o out.cpuprofile",
  // What its engine writes down goes to temporary files.
  "profile digits.pt2 --runs 1 --flame out.json",
] as const;

const folder = mkdtempSync(join(tmpdir(), "interrupted-"));
const work = join(folder, "work");
const temporary = join(folder, "tmp");
const sockets = new Set<Socket>();
const silent: Server = createServer((socket) => void sockets.add(socket.on("error", () => {})));
const empty = createHttpServer((_, response) => response.end('{"models":[]}'));

before(async () => {
  for (const made of [work, temporary, join(work, "slow/.venv/bin")]) mkdirSync(made, { recursive: true });
  cpSync(join(MODELS_FOLDER, "digits.pt2"), join(work, "digits.pt2"));
  writeFileSync(join(work, "row.json"), "[[1]]");
  writeFileSync(join(work, "nothing.json"), '{"input":{}}');
  const model =
    'import torch\n\n\nclass Slow(torch.nn.Module):\n    def forward(self, x: "float32[batch, 1]"):\n        return x\n';
  writeFileSync(join(work, "slow/model.py"), model);
  const python = join(work, "slow/.venv/bin/python");
  writeFileSync(python, "#!/bin/sh\nexec sleep 600\n");
  chmodSync(python, 0o755);
  mkdirSync(join(work, "triton/digits/1"), { recursive: true });
  writeFileSync(join(work, "triton/digits/1/model.onnx"), "");
  writeFileSync(join(work, "triton/digits/config.pbtxt"), 'name: "digits"\nmax_batch_size: 8\n');
  execFileSync("bash", ["-c", "mkfifo pipe.pt2 pipe.json"], { cwd: work });
  for (const server of [silent, empty])
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

after(() => {
  for (const socket of sockets) socket.destroy();
  silent.close();
  empty.close();
  rmSync(folder, { recursive: true });
});

const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const bin = (line: string): string =>
  `${process.execPath} ${BIN} ${line.replace("SILENT", urlOf(silent)).replace("EMPTY", urlOf(empty))}`;

/** Process numbers of what a process started, and what that started. */
function descendantsOf(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const stat = statOf(Number(name));
    if (stat !== undefined) parents.set(Number(name), stat.parent);
  }
  const found: number[] = [];
  for (const seen = [pid]; seen.length > 0; ) {
    const parent = seen.pop();
    for (const [child, its] of parents)
      if (its === parent) {
        found.push(child);
        seen.push(child);
      }
  }
  return found;
}

function statOf(pid: number): { readonly state: string; readonly parent: number } | undefined {
  try {
    const [state = "", parent] = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    return { state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

const isGone = (pid: number): boolean => ["Z", "X", undefined].includes(statOf(pid)?.state);

/** What lies in the working folder and in that for temporary files. */
const filesThere = (): string[] =>
  [work, temporary].flatMap((at) => readdirSync(at, { recursive: true }) as string[]);

async function interrupted({ line, shows, code }: Stuck, signal: Signal): Promise<void> {
  const files = filesThere();
  const terminal = onTerminal(`exec ${bin(line)}`, { cwd: work, columns: 120, env: { TMPDIR: temporary } });
  try {
    await terminal.sees(shows);
    const [program] = descendantsOf(terminal.pid);
    // Where it has children, it is further than the first thing that it does.
    if (/slow|json/.test(line) && !line.includes("row.json --url"))
      await until("it waits for a process", () => descendantsOf(program!).length > 0);
    const started = descendantsOf(terminal.pid);
    if (signal === "SIGINT") terminal.type("\x03");
    else process.kill(program!, signal);
    assert.equal(await terminal.ended(), code ?? 128 + NUMBERS[signal], screen(terminal.shown()));
    await until(`no process is left of ${line}`, () => started.every(isGone));
  } finally {
    await terminal.close();
  }
  assert.deepEqual(filesThere(), files, "what it leaves behind");
}

describe("a command that is interrupted", { skip: noTerminal }, () => {
  test("every command has its line", () => {
    const help = spawnSync(process.execPath, [BIN, "--help"], { encoding: "utf8" }).stdout;
    const names = Array.from(help.matchAll(/^ {2}sconce (\w+)/gm), ([, name]) => name!);
    assert.deepEqual(Object.keys(STUCK).sort(), names.sort());
  });

  for (const stuck of Object.values(STUCK)
    .filter((entry) => entry !== "at once")
    .flat())
    for (const signal of stuck.signals ?? (["SIGINT"] as const))
      test(`${stuck.line} ends by ${signal}, and nothing is left`, { timeout: 120_000 }, () =>
        interrupted(stuck, signal),
      );
});

describe("an output that cannot be written", () => {
  for (const line of FULL)
    test(`${line} says so, and leaves nothing`, { timeout: 120_000 }, async () => {
      const files = filesThere();
      const limited = spawn("bash", ["-c", `trap '' XFSZ; ulimit -f 0; exec ${bin(line)}`], {
        cwd: work,
        env: { ...process.env, TMPDIR: temporary, SCONCE_TRANSLATION_CACHE: "off" },
      });
      let told = "";
      for (const stream of [limited.stdout, limited.stderr])
        stream.setEncoding("utf8").on("data", (text: string) => {
          told += text;
        });
      const [code] = (await once(limited, "close")) as [number | null];
      assert.match(told, /^sconce \w+: .*(?:out\.\w+|sconce\.yaml|temporary files).*larger than/m);
      assert.doesNotMatch(told, /^ +at /m);
      assert.equal(code, 1);
      assert.deepEqual(filesThere(), files);
    });
});
