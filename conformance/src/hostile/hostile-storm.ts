import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import { multiplier } from "../stores/file-server.kit.ts";
import type { Random } from "./random.ts";

const TOKEN = "the-administrators-token";
const LANES = 8;
const MODELS = 6;
const ROUNDS = 400;
const PATIENCE_MS = 120_000;

/** What somebody may write over the configuration while the server reads it again. */
const CONFIGS: readonly string[] = [
  "log_level: error\n",
  "a: &a [*a, *a]\n",
  `a: &a [x]\nb: [${"*a, ".repeat(20_000)}]\n`,
  "[".repeat(100_000),
  `log_level: ${"x".repeat(900_000)}\n`,
  `${"k: 1\n".repeat(100_000)}`,
  "log_level: !!js/function 'function () { process.exit(1) }'\n",
  "__proto__: {log_level: error}\nconstructor: 1\n",
  "tenant_quota: 1e999/s\n",
  "\u0000\u0001\ufffe",
  "log_level: error\n---\nlog_level: info\n",
  "",
];

interface Storm {
  readonly server: ServerProcess;
  readonly random: Random;
  readonly problems: string[];
  /** How often each thing was done, and with what result. */
  note(what: string): void;
}

/**
 * Uploads, loads, unloads and profiles of many at once, by clients of whom some leave in the middle, while SIGHUP has a configuration read again that
 * somebody writes nonsense into; another model is asked all the while. What is not as it must be.
 */
export async function stormControl(random: Random): Promise<string[]> {
  const root = mkdtempSync(join(tmpdir(), "hostile-storm-"));
  const [models, temporary, config] = ["models", "tmp", "sconce.yaml"].map((name) => join(root, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(join(models, "main", "1"), { recursive: true });
  mkdirSync(temporary);
  writeFileSync(join(models, "main", "1", "model.onnx"), multiplier(2));
  writeFileSync(config, CONFIGS[0]!);
  const server = await startServerProcess(
    [
      models,
      ...["--model-control=explicit", "--load-models=main", "--allow-model-upload", "--allow-profile"],
      ...["--uploads-size=1MiB", `--config=${config}`, "--log-level=error"],
    ],
    { env: { SCONCE_ADMIN_TOKEN: TOKEN, TMPDIR: temporary } },
  );
  const problems: string[] = [];
  const counts = new Map<string, number>();
  const note = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  const storm: Storm = { server, random, problems, note };
  try {
    let round = 0;
    const lane = async (): Promise<void> => {
      while (round < ROUNDS) {
        round += 1;
        await strike(storm, config);
      }
    };
    let isOver = false;
    const watch = async (): Promise<void> => {
      while (!isOver) if ((await asked(server)) !== "200") problems.push("a good request was not answered");
    };
    const watching = watch();
    await Promise.all(Array.from({ length: LANES }, lane));
    isOver = true;
    await watching;
    for (let i = 0; i < MODELS; i++) await post(server, `/v2/repository/models/m${i}/unload`, "{}");
    const left = readdirSync(temporary)
      .filter((name) => name.startsWith("sconce-uploads-"))
      .flatMap((name) => readdirSync(join(temporary, name)));
    if (left.length > 0) problems.push(`${left.length} uploads are left behind`);
    if (!counts.has("upload 200")) problems.push(`no upload was taken: ${JSON.stringify([...counts])}`);
  } finally {
    const { code } = await server.stop();
    if (code !== 0) problems.push(`SIGTERM ended it with ${code}: ${server.output().slice(-500)}`);
    const left = readdirSync(temporary).filter((name) => name.startsWith("sconce-"));
    if (left.length > 0) problems.push(`${left.join(", ")} is left of the server`);
    rmSync(root, { recursive: true });
  }
  return [...new Set(problems)];
}

const HONEST: ReadonlySet<number> = new Set([200, 400, 404, 408, 409, 412, 413, 429, 503]);

async function strike({ server, random, problems, note }: Storm, config: string): Promise<void> {
  const model = `m${random.int(MODELS)}`;
  const load = `/v2/repository/models/${model}/load`;
  const onnx = multiplier(random.int(100)).toString("base64");
  const upload = JSON.stringify({ parameters: { "file:1/model.onnx": onnx } });
  const empty = Object.fromEntries(Array.from({ length: 255 }, (_, i) => [`file:e${i}.txt`, ""]));
  const told = async (what: string, answer: Promise<number>): Promise<void> => {
    const status = await answer;
    note(`${what} ${status}`);
    if (!HONEST.has(status)) problems.push(`${what}: answered with ${status}`);
  };
  switch (random.int(7)) {
    case 0:
      return told("upload", post(server, load, upload));
    case 1:
      return leave(server, load, upload, random.int(upload.length + 200));
    case 2:
      return told("unload", post(server, `/v2/repository/models/${model}/unload`, "{}"));
    case 3: {
      const files = { "file:1/model.onnx": onnx, ...empty };
      return told("an upload of 255 empty files", post(server, load, JSON.stringify({ parameters: files })));
    }
    case 4:
      return told("profile", post(server, "/v2/profile", '{"seconds":0.05}'));
    case 5:
      writeFileSync(config, CONFIGS[random.int(CONFIGS.length)]!);
      for (let i = 0; i < 20; i++) process.kill(server.pid, "SIGHUP");
      return;
    default:
      return told("load", post(server, load, "{}"));
  }
}

async function asked(server: ServerProcess): Promise<string> {
  const inputs = [{ name: "x", datatype: "FP32", shape: [1, 1], data: [1] }];
  return String(await post(server, "/v2/models/main/infer", JSON.stringify({ inputs })));
}

async function post({ url }: ServerProcess, path: string, body: string): Promise<number> {
  try {
    const response = await fetch(url + path, {
      method: "POST",
      body,
      headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}

/** Sends so many bytes of a request, and is gone. */
function leave({ url }: ServerProcess, path: string, body: string, bytes: number): Promise<void> {
  const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    socket.write((head + body).slice(0, bytes), () => socket.destroy());
  });
}
