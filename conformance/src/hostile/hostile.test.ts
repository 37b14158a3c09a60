// Tests the built server against the requests of hostile-requests.ts and its neighbours.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { loadSync, type MethodDefinition, type ServiceDefinition } from "@grpc/proto-loader";
import { MODELS_FOLDER } from "../expected-digits.ts";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import { type GrpcCase, grpcCases } from "./grpc-cases.ts";
import { random } from "./random.ts";
import { restCases } from "./rest-cases.ts";
import { restClient } from "./rest-client.ts";

const SEED = 20_261_120;
const REST_REQUESTS = 1200;
const GRPC_REQUESTS = 800;
const CLIENTS = 8;
const MAX_GROWTH_MIB = 128;
/** What an answer must never show: folders of this machine, source places, names of processes and hosts. */
const SECRETS: readonly RegExp[] = [
  /\/(?:home|root|tmp|usr|var|work|proc)\//,
  /node_modules|\.(?:js|ts|cc|cpp|py):\d+/,
  /\n\s+at .+[(:]/,
  /\bpid\b/i,
  new RegExp(`\\b${hostname().replace(/[^\w-]/g, ".")}\\b`),
];
/** OK, UNKNOWN, INTERNAL, UNAVAILABLE and DATA_LOSS say that the server was fooled, or broke. */
const BAD_STATUSES = [0, 2, 13, 14, 15];

const PROTO = fileURLToPath(new URL("../../../packages/protocol/proto", import.meta.url));
const definition = loadSync("inference/grpc_service.proto", { includeDirs: [PROTO] });
const service = definition["inference.GRPCInferenceService"] as ServiceDefinition;
const modelInfer = service["ModelInfer"] as MethodDefinition<object, object>;

function rssMib(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

/** The children of the front: its workers. */
function workersOf(pid: number): string {
  return execFileSync("ps", ["--ppid", String(pid), "-o", "pid="], { encoding: "utf8" });
}

function findSecret(text: string): string | undefined {
  for (const pattern of SECRETS) {
    const match = pattern.exec(text);
    if (match !== null) return match[0];
  }
  return undefined;
}

/** Runs `work` over all items, so many at once. */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items].reverse();
  const lane = async (): Promise<void> => {
    for (let item = rest.pop(); item !== undefined; item = rest.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: CLIENTS }, lane));
}

describe("hostile requests to the real server", () => {
  let server: ServerProcess;
  let workers: string;
  let baseMib: number;
  before(async () => {
    server = await startServerProcess([MODELS_FOLDER, "--max-body", "8MiB", "--log-level", "error"]);
    workers = workersOf(server.pid);
    await answersRight();
    baseMib = rssMib(server.pid);
  });
  after(() => server?.stop());

  async function answersRight(): Promise<void> {
    const body = JSON.stringify({ input: [new Array(8).fill(new Array(8).fill(0))] });
    const answer = await fetch(`${server.url}/predict/digits`, { method: "POST", body });
    assert.equal(answer.status, 200);
    assert.equal(((await answer.json()) as { readonly prediction: readonly number[] }).prediction.length, 10);
  }

  /** The front and its workers are those of the start, hold little more memory, had nothing to complain about, and answer. */
  async function isUnharmed(): Promise<void> {
    await answersRight();
    // A spare worker may have been started since; none that was there may be gone.
    const alive = workersOf(server.pid);
    for (const pid of workers.trim().split("\n")) assert.ok(alive.includes(pid), `worker ${pid} is gone`);
    const growth = rssMib(server.pid) - baseMib;
    assert.ok(growth < MAX_GROWTH_MIB, `${growth.toFixed(0)} MiB more than at the start`);
    assert.doesNotMatch(server.output(), /"level":50/);
  }

  test(`${REST_REQUESTS} over REST: each is refused with a 4xx that gives nothing away`, async () => {
    const client = restClient(server.url, CLIENTS);
    const wrong: string[] = [];
    await inParallel(restCases(random(SEED), REST_REQUESTS), async (request) => {
      const { status, text } = await client.send(request);
      const secret = findSecret(text);
      if (status >= 400 && status < 500 && secret === undefined && /"reason":"\w+"/.test(text)) return;
      const sent = String(request.body ?? "").slice(0, 200);
      wrong.push(
        `${request.what} ${request.method} ${request.path}: ${status} ${secret ?? ""} ${sent} → ${text.slice(-300)}`,
      );
    });
    client.close();
    assert.deepEqual(wrong, []);
    await isUnharmed();
  });

  test(`${GRPC_REQUESTS} over gRPC: none is answered, none breaks anything`, async () => {
    const client = new Client(server.authority, credentials.createInsecure());
    const wrong: string[] = [];
    await inParallel(grpcCases(random(SEED), modelInfer.requestSerialize, GRPC_REQUESTS), async (request) => {
      const { code, details, metadata } = await call(client, request);
      const secret = findSecret(`${details} ${JSON.stringify(metadata)}`);
      const isRight = code === 0 ? !request.isBad : !BAD_STATUSES.includes(code);
      if (!isRight || secret !== undefined) {
        wrong.push(
          `${request.what}: ${code} ${details} ${secret ?? ""} ${request.message.subarray(0, 100).toString("hex")}`,
        );
      }
    });
    client.close();
    assert.deepEqual(wrong, []);
    await isUnharmed();
  });

  test("bad messages on one stream: each has its answer, and the stream goes on", async () => {
    const cases = grpcCases(random(SEED + 1), modelInfer.requestSerialize, 160).filter(({ isBad }) => isBad);
    const client = new Client(server.authority, credentials.createInsecure());
    const path = "/inference.GRPCInferenceService/ModelStreamInfer";
    const stream = client.makeBidiStreamRequest(
      path,
      (message: Buffer) => message,
      (bytes: Buffer) => bytes,
    );
    const answers: string[] = [];
    stream.on("data", (bytes: Buffer) => answers.push(bytes.toString("latin1")));
    const status = new Promise<number>((resolve) => {
      stream.on("error", (error: ServiceError) => resolve(error.code));
      stream.on("end", () => resolve(0));
    });
    // The header with a bad deadline belongs to calls, not to messages.
    const messages = cases.filter(({ headers }) => Object.keys(headers).length === 0);
    for (const { message } of messages) stream.write(message);
    stream.end();
    assert.equal(await status, 0);
    client.close();
    assert.equal(answers.length, messages.length);
    assert.deepEqual(
      answers.map(findSecret).filter((secret) => secret !== undefined),
      [],
    );
    await isUnharmed();
  });
});

function call(
  client: Client,
  { message, headers }: GrpcCase,
): Promise<{ readonly code: number; readonly details: string; readonly metadata: object }> {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
  return new Promise((resolve) => {
    const raw = (bytes: Buffer): Buffer => bytes;
    client.makeUnaryRequest(modelInfer.path, raw, raw, message, metadata, (error) => {
      resolve({
        code: error?.code ?? 0,
        details: error?.details ?? "",
        metadata: error?.metadata.getMap() ?? {},
      });
    });
  });
}
