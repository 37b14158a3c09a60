import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type ServerProcess, startServerProcess } from "../server-process.ts";

/** What was asked of a model, and what transformers' pipeline answered. */
interface TaskRequest {
  /** A text, a list, an object, or the name of a file. */
  readonly sent: unknown;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly expected: unknown;
}

export interface MadeModel {
  readonly model: string;
  readonly task: string;
  readonly requests: readonly TaskRequest[];
}

export interface TaskServer {
  readonly server: ServerProcess;
  readonly models: readonly MadeModel[];
  /** What is served, by the models' names. */
  readonly folder: string;
  /** The bytes of a file that requests are sent. */
  file(name: string): Buffer;
}

/** A server with the models that `make_tasks.py` has written to a folder. */
export async function startTaskServer(home: string, models: readonly MadeModel[]): Promise<TaskServer> {
  const folder = join(home, "models");
  const server = await startServerProcess([folder]);
  return { server, models, folder, file: (name) => readFileSync(join(home, "files", name)) };
}

/** The part of a server's models that these tasks have. */
export function ofTasks(made: TaskServer, tasks: readonly string[]): TaskServer {
  return { ...made, models: made.models.filter(({ task }) => tasks.includes(task)) };
}

/** Asks `POST /predict/{model}`, and gives the prediction back. */
export async function predict(
  { url }: ServerProcess,
  model: string,
  request: { readonly body: string | Buffer | FormData; readonly type?: string },
): Promise<unknown> {
  const { body, type } = request;
  const response = await fetch(`${url}/predict/${model}`, {
    method: "POST",
    body: typeof body === "string" || body instanceof FormData ? body : new Uint8Array(body),
    ...(type !== undefined && { headers: { "content-type": type } }),
  });
  const text = await response.text();
  assert.equal(response.status, 200, `${model}: ${text}`);
  return (JSON.parse(text) as { readonly prediction: unknown }).prediction;
}

/** Numbers may differ by so much, or by that share of themselves; all else is equal. */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

/** How far two answers are from each other; throws where they differ in more than numbers. */
export function assertClose(given: unknown, expected: unknown, tolerance: Tolerance, path = "answer"): void {
  if (typeof expected === "number" && typeof given === "number") {
    const limit = tolerance.absolute + tolerance.relative * Math.abs(expected);
    assert.ok(Math.abs(given - expected) <= limit, `${path}: ${given}, and transformers ${expected}`);
    return;
  }
  if (typeof expected !== "object" || expected === null) {
    assert.deepEqual(given, expected, path);
    return;
  }
  assert.ok(typeof given === "object" && given !== null, `${path}: ${JSON.stringify(given)}`);
  assert.deepEqual(Object.keys(given).sort(), Object.keys(expected).sort(), path);
  for (const [key, value] of Object.entries(expected)) {
    assertClose((given as Record<string, unknown>)[key], value, tolerance, `${path}.${key}`);
  }
}

export const JSON_TYPE = "application/json";

/** Asks every model what transformers was asked, and compares. What is sent is the name of a file where there is one of that name. */
export async function comparePredictions(
  t: TestContext,
  { server, models, file }: TaskServer,
  tolerance: Tolerance,
): Promise<void> {
  for (const { model, requests } of models) {
    for (const { sent, parameters, expected } of requests) {
      await t.test(
        `${model} ${JSON.stringify(sent).slice(0, 60)} ${JSON.stringify(parameters)}`,
        async () => {
          const isFile = typeof sent === "string" && FILE.test(sent);
          const input = isFile ? file(sent).toString("base64") : sent;
          const body = JSON.stringify({ input, parameters });
          assertClose(await predict(server, model, { body, type: JSON_TYPE }), expected, tolerance);
        },
      );
    }
  }
}

const FILE = /^[a-z]+\.(jpg|png|webp|wav)$/;
