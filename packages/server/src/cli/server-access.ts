import { readFileSync } from "node:fs";
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { ConnectionOptions } from "node:tls";
import { timerDelayMs } from "../base/clock.ts";
import { faultWords } from "../base/file-fault.ts";
import { resolveOptions } from "../config/resolve-options.ts";
import type { Arguments } from "./arguments.ts";
import type { Terminal } from "./command.ts";
import { usageError } from "./usage-error.ts";

/** Options of every command that asks a server. */
export const ACCESS_OPTIONS = {
  ca: {
    kind: "text",
    default: null,
    doc: "PEM file with the CA of an https:// server's certificate, where the system does not know it.",
  },
  cert: {
    kind: "text",
    default: null,
    doc: "PEM file with a client certificate, for a server that asks for one.",
  },
  key: { kind: "text", default: null, doc: "PEM file with the key of --cert." },
  apiKeyFile: {
    kind: "text",
    default: null,
    doc: "File with the API key or token to send. Default: what SCONCE_API_KEY says. Flags show in process lists, so there is none for the key itself.",
  },
} as const;

/** How a server is reached: what its TLS needs, and who asks. */
export interface ServerAccess {
  readonly tls: Pick<ConnectionOptions, "ca" | "cert" | "key" | "rejectUnauthorized">;
  /** By name in lower case: what every request says. */
  readonly headers: Readonly<Record<string, string>>;
  /** Is told whom a request goes to. */
  readonly onAsk?: (origin: string) => void;
}

/** Of a server that asks nobody who they are. */
export const OPEN_ACCESS: ServerAccess = { tls: {}, headers: {} };

/** The environment variable with the key of a command that asks a server. */
export const KEY_VARIABLE = "SCONCE_API_KEY";

/** Reads the files that the flags of ACCESS_OPTIONS name. Throws ServeError `bad_arguments`. */
export function serverAccess(
  { flags }: Arguments,
  { env, progress }: Pick<Terminal, "env" | "progress">,
): ServerAccess {
  const { ca, cert, key, apiKeyFile } = resolveOptions(ACCESS_OPTIONS, { flags });
  if ((cert === undefined) !== (key === undefined)) throw usageError("--cert and --key go together");
  const apiKey =
    apiKeyFile === undefined ? env[KEY_VARIABLE] : read("--api-key-file", apiKeyFile).toString("utf8").trim();
  return {
    tls: {
      ...(ca !== undefined && { ca: read("--ca", ca) }),
      ...(cert !== undefined && { cert: read("--cert", cert) }),
      ...(key !== undefined && { key: read("--key", key) }),
    },
    headers: apiKey ? { authorization: `Bearer ${apiKey}` } : {},
    ...(progress !== undefined && { onAsk: (origin: string) => progress(`asking ${origin}`) }),
  };
}

function read(option: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw usageError(`${option}: ${path}: ${faultWords(cause)}`);
  }
}

export interface Question {
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
}

/** One request and the whole response. Rejects as Node does, when nobody answers, or with a certificate that is not trusted. */
export function askServer(
  url: string,
  question: Question,
  { tls, headers, onAsk }: ServerAccess,
): Promise<Response> {
  onAsk?.(new URL(url).origin);
  const { method = "GET", body, timeoutMs } = question;
  const options = { method, headers: { ...headers, ...question.headers }, agent: false as const };
  return new Promise((resolve, reject) => {
    const take = (response: IncomingMessage): void => {
      readAll(response).then((bytes) => {
        const { statusCode: status = 0, headers: own } = response;
        resolve(new Response(bytes, { status, headers: { "content-type": own["content-type"] ?? "" } }));
      }, reject);
    };
    const call = url.startsWith("https:")
      ? requestHttps(url, { ...options, ...tls }, take)
      : requestHttp(url, options, take);
    call.setTimeout(timerDelayMs(timeoutMs), () => call.destroy(new Error("the server took too long")));
    call.on("error", reject);
    call.end(body);
  });
}

async function readAll(response: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return new Uint8Array(Buffer.concat(chunks));
}

/** What a server refused, for whoever runs a command: who is asking is said there by an option, and not by a header. */
export function refusal(status: number, words: string): string {
  const told = `the server answered ${status}: ${words}`;
  if (status !== 401) return told;
  return `${told.replace(/: send the header Authorization: .*$/, "")}; put it into ${KEY_VARIABLE}, or name its file with --api-key-file`;
}

/** Why nobody answers there, and what to do. */
export function unreachable(url: string, cause: unknown): string {
  const { origin } = new URL(url);
  const { code = "" } = cause as NodeJS.ErrnoException;
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/.test(code))
    return `the certificate of ${origin} is not trusted here (${code}); pass its CA with --ca`;
  if (code === "EPROTO" || code === "ERR_SSL_WRONG_VERSION_NUMBER")
    return `${origin} does not speak TLS; use http://`;
  return `no server answers at ${origin}; start one with sconce serve, or name the URL of another`;
}
