import { readFileSync, statSync } from "node:fs";
import { extname } from "node:path";
import type { RunningServer } from "../app/start-server.ts";
import { systemClock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import { faultCode, faultWords } from "../base/file-fault.ts";
import { loadConfig } from "../config/load-config.ts";
import { resolveOptions } from "../config/resolve-options.ts";
import type { Arguments } from "./arguments.ts";
import type { Command, Terminal } from "./command.ts";
import { type InputMetadata, imageInput } from "./image-input.ts";
import { createLogger } from "./logger.ts";
import { looksLikePath, missingFile } from "./model-path.ts";
import { startOwnServer } from "./own-server.ts";
import { PREDICT_OPTIONS } from "./predict-options.ts";
import { resultText } from "./result-text.ts";
import {
  ACCESS_OPTIONS,
  askServer,
  OPEN_ACCESS,
  refusal,
  type ServerAccess,
  serverAccess,
  unreachable,
} from "./server-access.ts";
import { serverUrl } from "./server-url.ts";
import { usageError } from "./usage-error.ts";

const IMAGE_SUFFIXES = new Set([".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff"]);

const JSON_HEADERS = { "content-type": "application/json" };
const ANSWER_LIMIT_MS = 120_000;

interface Question {
  readonly path: "predict" | "infer";
  readonly body: string;
}

export const predictCommand: Command = {
  name: "predict",
  usage: "MODEL --input FILE",
  summary: "Asks a running server for one prediction; when MODEL is a file, serves it for this one question.",
  tables: [PREDICT_OPTIONS, ACCESS_OPTIONS],
  async run(args, terminal) {
    const options = resolveOptions(PREDICT_OPTIONS, { flags: args.flags });
    const model = onlyPositional(args);
    const url = serverUrl(options.url);
    const access = serverAccess(args, terminal);
    if (options.input === undefined) throw usageError("--input FILE is missing");
    const isFile = isToBeServed(model, args);
    const input = await readInput(options.input, terminal);
    if (isFile && args.flags.has("--url")) {
      terminal.stderr.write(`warning: --url has no effect: ${model} is a file\n`);
    }
    terminal.progress?.(isFile ? `loading ${model}` : `asking ${url}`);
    const server = isFile ? await serveOnce(model) : { url, model, access, close: async () => {} };
    try {
      const question = await ask(server, input, options);
      const body = await asWholeSequence(server, question);
      const answer = await call(server, pathOf(question, server.model), body);
      terminal.progress?.();
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

function onlyPositional({ positionals }: Arguments): string {
  if (positionals.length === 1) return positionals[0]!;
  const got = positionals.length === 0 ? "none" : positionals.length;
  throw usageError(`expected one MODEL, a name on the server or a file, got ${got}`);
}

/** A file is; a folder that is called like a model is not when a server was named. Throws `missing_path` for a path with nothing at it. */
function isToBeServed(model: string, args: Arguments): boolean {
  const stats = statSync(model, { throwIfNoEntry: false });
  if (stats === undefined && !args.flags.has("--url") && looksLikePath(model)) throw missingFile(model);
  return stats?.isFile() === true || (stats?.isDirectory() === true && !args.flags.has("--url"));
}

interface Reached {
  readonly url: string;
  readonly model: string;
  readonly access: ServerAccess;
  close(): Promise<void>;
}

async function serveOnce(path: string): Promise<Reached> {
  const running = await startOwnServer({
    config: loadConfig({ flags: new Map([["--port", "0"]]) }),
    paths: [path],
    // What goes wrong is this command's to say.
    logger: createLogger("silent"),
    clock: systemClock,
    random: Math.random,
  });
  try {
    await running.settled;
    return {
      url: running.url,
      model: onlyReady(running.models(), path),
      access: OPEN_ACCESS,
      close: () => running.stop(),
    };
  } catch (error) {
    await running.stop();
    throw error;
  }
}

function onlyReady(models: ReturnType<RunningServer["models"]>, path: string): string {
  const names = [...new Set(models.map(({ name }) => name))];
  if (names.length > 1) {
    throw usageError(`${path} holds several models; name the file or folder of one: ${names.join(", ")}`);
  }
  const ready = models.find(({ state }) => state === "READY");
  if (ready !== undefined) return ready.name;
  const why = models[0] === undefined ? "no model is in it" : models[0].reason;
  throw new ServeError("failed_precondition", `${path} cannot be served: ${why}`);
}

interface Input {
  /** For messages. */
  readonly name: string;
  readonly bytes: Buffer;
  readonly isImage: boolean;
}

async function readInput(path: string, terminal: Terminal): Promise<Input> {
  if (path === "-") return { name: "standard input", bytes: await terminal.readStdin(), isImage: false };
  try {
    const isImage = IMAGE_SUFFIXES.has(extname(path).toLowerCase());
    return { name: path, bytes: readFileSync(path), isImage };
  } catch (cause) {
    if (/^\s*[[{]/.test(path)) {
      throw usageError("--input: expected a file; JSON itself goes to standard input, with --input -");
    }
    if (faultCode(cause) === "ENOENT") throw usageError(`--input: ${missingFile(path).message}`);
    throw usageError(
      `--input: ${path} cannot be read: ${faultCode(cause) === "EISDIR" ? "it is a folder" : faultWords(cause)}`,
    );
  }
}

async function ask(server: Reached, input: Input, options: { readonly resize: boolean }): Promise<Question> {
  if (!input.isImage) return jsonQuestion(input);
  const metadata = await call(server, `v2/models/${encodeURIComponent(server.model)}`);
  const inputs = metadata["inputs"] as readonly InputMetadata[];
  if (inputs.length !== 1) {
    const names = inputs.map(({ name }) => name).join(", ");
    throw new ServeError("invalid_argument", `the model has several inputs (${names}); give them as JSON`);
  }
  const image = await imageInput(input.bytes, inputs[0]!, options);
  return { path: "predict", body: JSON.stringify({ input: image }) };
}

const BYTE_ORDER_MARK = /^\uFEFF/;

function jsonQuestion({ name, bytes }: Input): Question {
  // Editors of Windows put one before the text.
  const text = bytes.toString("utf8").replace(BYTE_ORDER_MARK, "");
  const value = parseInput(name, text);
  const keys = typeof value === "object" && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
  if (keys.includes("inputs")) return { path: "infer", body: text };
  return { path: "predict", body: keys.includes("input") ? text : `{"input":${text}}` };
}

function parseInput(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ServeError("invalid_argument", `--input: ${name} ${notJson(text, cause as Error)}`, { cause });
  }
}

function notJson(text: string, { message }: Error): string {
  if (text.trim() === "") return "is empty";
  if (!text.includes("\0")) return `is not JSON: ${message}`;
  return `is neither JSON nor an image (${[...IMAGE_SUFFIXES].join(", ")})`;
}

/** Of a model that keeps a state, a prediction is a sequence from beginning to end, unless the input names another. */
async function asWholeSequence(server: Reached, { path, body }: Question): Promise<string> {
  if (path === "infer" || "parameters" in (JSON.parse(body) as object)) return body;
  const config = await call(server, `v2/models/${encodeURIComponent(server.model)}/config`).catch(
    (): Record<string, unknown> => ({}),
  );
  if (config["sequence_batching"] === undefined) return body;
  return body.replace(/\}\s*$/, ',"parameters":{"sequence_start":true,"sequence_end":true}}');
}

function pathOf(question: Question, model: string): string {
  const name = encodeURIComponent(model);
  return question.path === "infer" ? `v2/models/${name}/infer` : `predict/${name}`;
}

/** A POST with a body, a GET without. */
async function call({ url, access }: Reached, path: string, text?: string): Promise<Record<string, unknown>> {
  const asked = `${url}/${path}`;
  const own = text === undefined ? {} : { method: "POST" as const, body: text, headers: JSON_HEADERS };
  const answer = await askServer(asked, { ...own, timeoutMs: ANSWER_LIMIT_MS }, access).catch(
    (cause: unknown) => {
      throw new ServeError("unavailable", unreachable(asked, cause), { cause });
    },
  );
  const body = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  if (!answer.ok) {
    throw new ServeError("invalid_argument", refusal(answer.status, String(body["error"] ?? "")));
  }
  return body;
}
