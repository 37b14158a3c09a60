import { hostname } from "node:os";
import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import { readAtMost } from "../base/read-at-most.ts";
import type { ServerConfig } from "../config/server-options.ts";
import { traceHeadersOf, traceRatioOf, tracesEndpointOf } from "../config/trace-options.ts";
import type { Tracing } from "../tracing/open-tracing.ts";
import { MAX_PEM_BYTES } from "./certificate-files.ts";
import { VERSION } from "./version.ts";

export interface TracesParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly random: () => number;
}

/** Spans are a few hundred bytes each, ten a request. */
const LIMITS = { maxQueueSpans: 16_384, maxBatchSpans: 1024, delayMs: 2000, timeoutMs: 10_000 };
/** How long a server that drains waits for a collector. */
export const FLUSH_MS = 3000;

/** Traces inferences where a collector is named; undefined otherwise, and nothing is loaded. Rejects with `bad_option`, or with the file that cannot be read. */
export async function openTraces(config: ServerConfig, parts: TracesParts): Promise<Tracing | undefined> {
  const endpoint = tracesEndpointOf(config);
  if (endpoint === undefined) return undefined;
  const { tracesCa, tracesCert, tracesKey } = config;
  if ((tracesCert === undefined) !== (tracesKey === undefined)) {
    throw new ServeError("invalid_argument", "--traces-cert and --traces-key go together", {
      reason: "bad_option",
    });
  }
  const settings = {
    endpoint,
    protocol: config.tracesProtocol,
    headers: traceHeadersOf(config),
    tls: {
      ca: await readPem("--traces-ca", tracesCa),
      cert: await readPem("--traces-cert", tracesCert),
      key: await readPem("--traces-key", tracesKey),
    },
    sampling: { ratio: traceRatioOf(config), followsParent: config.traceDecision === "parent" },
    resource: resourceOf(config),
    limits: LIMITS,
  };
  const { openTracing } = await import("../tracing/open-tracing.ts");
  return openTracing(settings, { ...parts, version: VERSION });
}

function resourceOf({ tracesResource = {} }: ServerConfig): readonly (readonly [string, string | number])[] {
  const own: Readonly<Record<string, string | number>> = {
    "service.name": "sconce",
    "service.version": VERSION,
    "host.name": hostname(),
    "process.pid": process.pid,
    "telemetry.sdk.name": "sconce",
    "telemetry.sdk.language": "nodejs",
    "telemetry.sdk.version": VERSION,
  };
  return Object.entries({ ...own, ...tracesResource });
}

async function readPem(option: string, path: string | undefined): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  try {
    return (
      (await readAtMost(path, MAX_PEM_BYTES)) ??
      Promise.reject(new Error(`larger than ${MAX_PEM_BYTES} bytes`))
    );
  } catch (cause) {
    throw new ServeError("failed_precondition", `${option}: ${path} cannot be read`, {
      reason: "bad_certificate",
      cause,
    });
  }
}
