import { existsSync, readFileSync } from "node:fs";
import { basename, extname } from "node:path";
import { startServer } from "../app/start-server.ts";
import { systemClock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import { loadConfig } from "../config/load-config.ts";
import { resolveOptions } from "../config/resolve-options.ts";
import type { Arguments } from "./arguments.ts";
import type { Command, Terminal } from "./command.ts";
import { type InputMetadata, imageInput } from "./image-input.ts";
import { createLogger } from "./logger.ts";
import { PREDICT_OPTIONS } from "./predict-options.ts";
import { resultText } from "./result-text.ts";

const IMAGE_SUFFIXES = new Set([".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff"]);

interface Question {
  readonly path: "predict" | "infer";
  readonly body: string;
}

export const predictCommand: Command = {
  name: "predict",
  usage: "MODEL --input FILE",
  summary: "Asks a running server for one prediction; when MODEL is a file, serves it for this one question.",
  tables: [PREDICT_OPTIONS],
  async run(args, terminal) {
    const options = resolveOptions(PREDICT_OPTIONS, { flags: args.flags });
    const model = onlyPositional(args);
    if (options.input === undefined) {
      throw new ServeError("invalid_argument", "--input FILE is missing", { reason: "bad_arguments" });
    }
    const input = await readInput(options.input, terminal);
    const server = await reach(model, options.url);
    try {
      const question = await ask(server, input, options);
      const answer = await post(`${server.url}/${pathOf(question, server.model)}`, question.body);
      terminal.stdout.write(
        options.json || question.path === "infer"
          ? `${JSON.stringify(answer)}\n`
          : resultText(answer["prediction"]),
      );
      return 0;
    } finally {
      await server.close();
    }
  },
};

function onlyPositional(args: Arguments): string {
  if (args.positionals.length !== 1) {
    throw new ServeError("invalid_argument", "expected one MODEL: a name on the server, or a file", {
      reason: "bad_arguments",
    });
  }
  return args.positionals[0]!;
}

interface Reached {
  readonly url: string;
  readonly model: string;
  close(): Promise<void>;
}

async function reach(model: string, url: string): Promise<Reached> {
  if (!existsSync(model)) return { url: url.replace(/\/+$/, ""), model, close: async () => {} };
  const { modelDefaults, server } = loadConfig({ flags: new Map([["--port", "0"]]) });
  const running = await startServer({
    config: { server, modelDefaults },
    paths: [model],
    logger: createLogger("warn"),
    clock: systemClock,
    random: Math.random,
  });
  await running.settled;
  const name = running.models()[0]?.name ?? basename(model);
  return { url: running.url, model: name, close: () => running.stop() };
}

async function readInput(path: string, terminal: Terminal): Promise<{ bytes: Buffer; isImage: boolean }> {
  if (path === "-") return { bytes: await terminal.readStdin(), isImage: false };
  try {
    return { bytes: readFileSync(path), isImage: IMAGE_SUFFIXES.has(extname(path).toLowerCase()) };
  } catch (cause) {
    throw new ServeError("invalid_argument", `--input: ${basename(path)} cannot be read`, { cause });
  }
}

async function ask(
  server: Reached,
  input: { readonly bytes: Buffer; readonly isImage: boolean },
  options: { readonly resize: boolean },
): Promise<Question> {
  if (!input.isImage) return jsonQuestion(input.bytes.toString("utf8"));
  const metadata = await call(`${server.url}/v2/models/${encodeURIComponent(server.model)}`, {});
  const inputs = metadata["inputs"] as readonly InputMetadata[];
  if (inputs.length !== 1) {
    const names = inputs.map(({ name }) => name).join(", ");
    throw new ServeError("invalid_argument", `the model has several inputs (${names}); give them as JSON`);
  }
  const image = await imageInput(input.bytes, inputs[0]!, options);
  return { path: "predict", body: JSON.stringify({ input: image }) };
}

function jsonQuestion(text: string): Question {
  const value = parseJson(text);
  const keys = typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
  if (keys.includes("inputs")) return { path: "infer", body: text };
  return { path: "predict", body: keys.includes("input") ? text : `{"input":${text}}` };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ServeError("invalid_argument", `--input is not JSON: ${(cause as Error).message}`, { cause });
  }
}

function pathOf(question: Question, model: string): string {
  const name = encodeURIComponent(model);
  return question.path === "infer" ? `v2/models/${name}/infer` : `predict/${name}`;
}

function post(url: string, body: string): Promise<Record<string, unknown>> {
  return call(url, { method: "POST", body, headers: { "content-type": "application/json" } });
}

async function call(url: string, init: RequestInit): Promise<Record<string, unknown>> {
  const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(120_000) }).catch(
    (cause: unknown) => {
      throw new ServeError(
        "unavailable",
        `no server answers at ${new URL(url).origin}; start one with sconce serve, or pass --url`,
        {
          cause,
        },
      );
    },
  );
  const body = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  if (!answer.ok) {
    throw new ServeError(
      "invalid_argument",
      `the server answered ${answer.status}: ${String(body["error"] ?? "")}`,
    );
  }
  return body;
}
