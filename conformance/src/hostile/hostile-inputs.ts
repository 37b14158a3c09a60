import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServerProcess, startServerProcess } from "../server-process.ts";
import type { HostileBody } from "./hostile-bodies.ts";
import { residentMib } from "./run-attacks.ts";
import { writeTaskModels } from "./task-models.ts";

const SEQUENCES = 300;
const MOST_SEQUENCES = 100;
/** A worker may end late, and take the next request along. */
const TRIES = 3;
const LANES = 8;
/** Of the server's own process: bodies are decoded in workers. */
const MAX_GROWN_MIB = 128;
/** Against servers that never answer; a busy machine may take its time. */
const PATIENCE_MS = 120_000;

/** Serves models that take what clients send as it is, sends them what is meant to end their server, and asks a good thing after each; what is not as it must be. */
export async function sendHostileInputs(bodies: readonly HostileBody[]): Promise<string[]> {
  const root = mkdtempSync(join(tmpdir(), "hostile-inputs-"));
  writeTaskModels(root);
  const server = await startServerProcess([root, "--max-body", "8MiB", "--log-level", "error"]);
  const problems: string[] = [];
  try {
    const baseMib = residentMib(server.pid);
    for (const body of bodies) problems.push(...(await sendOne(server, body)));
    problems.push(...(await beginSequences(server)));
    const grownMib = residentMib(server.pid) - baseMib;
    if (grownMib > MAX_GROWN_MIB) problems.push(`${Math.round(grownMib)} MiB more than before`);
    if (server.output().includes("\u001b[2J")) problems.push("what a handler printed steers the terminal");
  } finally {
    const { code } = await server.stop();
    if (code !== 0) problems.push(`SIGTERM ended it with ${code}`);
    rmSync(root, { recursive: true });
  }
  return problems;
}

async function sendOne(
  server: ServerProcess,
  { name, model, type, statuses, body }: HostileBody,
): Promise<string[]> {
  const problems: string[] = [];
  const hurt = post(server, `/predict/${model}`, body(), type);
  const meanwhile = await post(server, "/predict/plain", Buffer.from('{"input":[1,2]}'), "application/json");
  if (meanwhile.status !== 200)
    problems.push(`${name}: meanwhile another model answered with ${meanwhile.status}`);
  const { status, text } = await hurt;
  if (!statuses.includes(status)) problems.push(`${name}: answered with ${status} ${text.slice(0, 200)}`);
  if (/node_modules|\/tmp\/|\/path\/of|passwd|root:x:/.test(text))
    problems.push(`${name}: tells of files: ${text.slice(0, 200)}`);
  let after = await goodWord(server);
  for (let tries = 1; tries < TRIES && after !== GOOD_ANSWER; tries++) after = await goodWord(server);
  if (after !== GOOD_ANSWER) problems.push(`${name}: the handler's next answer was ${after.slice(0, 200)}`);
  return problems;
}

const GOOD_ANSWER = '{"prediction":[-1,-2]}';

async function goodWord(server: ServerProcess): Promise<string> {
  return (await post(server, "/predict/code", Buffer.from('{"input":"fine"}'), "application/json")).text;
}

/** More sequences than may live: those beyond are refused, and none is taken from those that do. */
async function beginSequences(server: ServerProcess): Promise<string[]> {
  const counts = new Map<number, number>();
  let next = 1;
  const lane = async (): Promise<void> => {
    for (let id = next++; id <= SEQUENCES; id = next++) {
      const { status } = await post(server, "/v2/models/state/infer", beginning(id), "application/json");
      counts.set(status, (counts.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const refused = (counts.get(429) ?? 0) + (counts.get(503) ?? 0);
  const isRight = counts.get(200) === MOST_SEQUENCES && refused === SEQUENCES - MOST_SEQUENCES;
  return isRight ? [] : [`${SEQUENCES} sequences: ${JSON.stringify([...counts])}`];
}

function beginning(sequence: number): Buffer {
  const input = { name: "x", datatype: "FP32", shape: [1, 1], data: [1] };
  const parameters = { sequence_id: sequence, sequence_start: true };
  return Buffer.from(JSON.stringify({ inputs: [input], parameters }));
}

async function post(
  { url }: ServerProcess,
  path: string,
  body: Buffer,
  type: string,
): Promise<{ readonly status: number; readonly text: string }> {
  try {
    const response = await fetch(url + path, {
      method: "POST",
      body: new Uint8Array(body),
      headers: { "content-type": type },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    return { status: 0, text: String((error as { readonly cause?: unknown }).cause ?? error) };
  }
}
