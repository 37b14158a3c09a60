import { isLoopback } from "../../config/host-address.ts";
import { OPEN_ACCESS, type ServerAccess } from "../server-access.ts";
import { completionHint } from "../server-url.ts";
import { usageError } from "../usage-error.ts";

export type BenchProtocol = "json" | "binary" | "predict" | "grpc" | "grpc-stream";

/** Which model of which server gets the load, and how requests are spelled. */
export interface Target {
  /** `http://host:port` or `https://host:port`, without a slash at the end. */
  readonly origin: string;
  readonly model: string;
  /** Undefined: the one that the server chooses. */
  readonly version: string | undefined;
  readonly protocol: BenchProtocol;
  /** Its model keeps a state: each request is to be a sequence from beginning to end. */
  readonly hasSequences?: boolean;
  /** Outputs that are asked for; undefined: all. */
  readonly outputs?: readonly string[] | undefined;
  readonly access: ServerAccess;
}

export interface TargetOptions {
  readonly url: string;
  readonly protocol: BenchProtocol;
  readonly allowRemote: boolean;
  /** Default: of a server that asks nobody who they are. */
  readonly access?: ServerAccess;
}

const PATH = /^\/(?:(predict)\/([^/]+)|v2\/models\/([^/]+?)(?:\/versions\/([^/]+))?(?:\/infer)?)\/?$/;

/**
 * Reads a target: a model's name, or a URL of its `/predict` or `/v2/models/` endpoint, or `grpc://host:port/model` (with TLS: `grpcs://`). Throws ServeError
 * `bad_arguments` for another URL, and for a server beyond this machine unless that is allowed.
 */
export function parseTarget(
  text: string,
  { url, protocol, allowRemote, access = OPEN_ACCESS }: TargetOptions,
): Target {
  const named = text.includes("://") ? ofUrl(text, protocol) : ofName(text, { url, protocol });
  const target = { ...named, access };
  const host = new URL(target.origin).hostname;
  if (!allowRemote && !isLoopback(host)) {
    throw usageError(`${host} is not this machine; pass --allow-remote when its owner wants the load`);
  }
  return target;
}

type Named = Omit<Target, "access">;

function ofName(model: string, { url, protocol }: Pick<TargetOptions, "url" | "protocol">): Named {
  return { origin: parseUrl(url, "--url: ").origin, model, version: undefined, protocol };
}

function ofUrl(text: string, protocol: BenchProtocol): Named {
  const isGrpc = /^grpcs?:\/\//.test(text);
  const url = parseUrl(isGrpc ? text.replace("grpc", "http") : text);
  if (isGrpc) {
    const model = decodeURIComponent(url.pathname.slice(1));
    if (model === "") throw usageError("expected grpc://HOST:PORT/MODEL");
    const isStream = protocol === "grpc-stream";
    return { origin: url.origin, model, version: undefined, protocol: isStream ? protocol : "grpc" };
  }
  const [, predict, predicted, model, version] = PATH.exec(url.pathname) ?? [];
  const name = predicted ?? model;
  if (name === undefined) {
    throw usageError(
      `expected a URL that ends with /predict/MODEL or /v2/models/MODEL/infer, got ${url.pathname}`,
    );
  }
  return {
    origin: url.origin,
    model: decodeURIComponent(name),
    version: version === undefined ? undefined : decodeURIComponent(version),
    protocol: predict === undefined ? protocol : "predict",
  };
}

function parseUrl(text: string, label = ""): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:")
    throw usageError(
      `${label}expected a URL such as http://127.0.0.1:8080, got ${text}${completionHint(text)}`,
    );
  return url;
}
