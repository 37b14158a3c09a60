import { usableCores } from "../base/cgroup.ts";
import { type Clock, systemClock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { createPrometheusMetrics } from "../base/prometheus-metrics.ts";
import { cacheStoreAddressOf } from "../config/cache-store-address.ts";
import { edgeCount } from "../config/edge-count.ts";
import { readinessOf } from "../config/readiness-option.ts";
import { checkSafeBinding } from "../config/safe-binding.ts";
import type { ServerConfig } from "../config/server-options.ts";
import { tenantHeaderName } from "../gate/tenant.ts";
import { createWebGate } from "../gate/web-gate.ts";
import { webGateOptions } from "./build-edges.ts";
import { certificateFiles } from "./certificate-files.ts";
import { openAuthentication } from "./open-authentication.ts";
import { openCacheStore } from "./open-cache-store.ts";
import { readWithWarning } from "./open-tls.ts";
import { openTraces } from "./open-traces.ts";
import { torchservePorts } from "./torchserve-ports.ts";

/** One thing that a server would have beside its models. */
export interface Foreseen {
  readonly what: string;
  readonly found: string;
}

/** What a server of a configuration would be, as far as can be told without listening and without asking other machines. */
export interface Prospect {
  readonly facts: readonly Foreseen[];
  /** Why it would not start. */
  readonly faults: readonly string[];
}

interface Surroundings {
  /** Hears what the server would warn of. */
  readonly logger: Logger;
  readonly clock?: Clock;
}

type Look = (
  config: ServerConfig,
  parts: Required<Surroundings>,
) => Foreseen | undefined | Promise<Foreseen | undefined>;

/** Reads what a configuration names, as the start of a server does: files of certificates, keys and secrets, addresses, who may come in. Opens no port and connects to nothing. Never rejects. */
export async function foreseeServer(
  config: ServerConfig,
  { logger, clock = systemClock }: Surroundings,
): Promise<Prospect> {
  const facts: Foreseen[] = [];
  const faults: string[] = [];
  for (const look of LOOKS) {
    try {
      const fact = await look(config, { logger, clock });
      if (fact !== undefined) facts.push(fact);
    } catch (error) {
      faults.push(ServeError.from(error).message);
    }
  }
  return { facts, faults };
}

const LOOKS: readonly Look[] = [port, health, certificate, callers, web, control, cacheStore, traces];

function port(config: ServerConfig): Foreseen {
  checkSafeBinding(config);
  if (config.compat === "torchserve") torchservePorts(config);
  const { host, tlsCert } = config;
  const edges = edgeCount(config, usableCores());
  const processes = edges === 1 ? "" : `, in ${edges} edge processes`;
  const at = `${tlsCert === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${config.port}`;
  return { what: "port", found: `${at} for REST and gRPC${processes}` };
}

function health(config: ServerConfig): Foreseen | undefined {
  readinessOf(config.readiness);
  const { healthAddress: found } = config;
  return found === undefined ? undefined : { what: "health", found: `${found}, without keys` };
}

async function certificate(
  config: ServerConfig,
  { logger }: Required<Surroundings>,
): Promise<Foreseen | undefined> {
  const files = certificateFiles(config);
  if (files === undefined) return undefined;
  const { validTo } = await readWithWarning(files, logger);
  const clients = files.clientCa === undefined ? "" : `; clients need one of ${files.clientCa}`;
  return { what: "certificate", found: `valid until ${validTo.toISOString()}${clients}` };
}

/** TorchServe's file of tokens is the server's to write: it is not made here. */
async function callers(config: ServerConfig, { logger }: Required<Surroundings>): Promise<Foreseen> {
  const { apiKeys, jwtKeys, jwtIssuer, torchserveTokens } = config;
  await openAuthentication(
    { ...config, torchserveTokens: undefined },
    { metrics: createPrometheusMetrics(), logger },
  );
  const kinds = [
    ...(apiKeys === undefined ? [] : [`keys of ${apiKeys}`]),
    ...(jwtKeys === undefined ? [] : [`tokens of ${jwtIssuer}`]),
    ...(torchserveTokens === undefined ? [] : [`TorchServe's tokens of ${torchserveTokens}`]),
  ];
  return { what: "callers", found: kinds.length === 0 ? "everybody" : `those with ${kinds.join(", or ")}` };
}

function web(config: ServerConfig): Foreseen | undefined {
  createWebGate(webGateOptions(config, config.host));
  if (config.tenantHeader !== undefined) tenantHeaderName(config.tenantHeader);
  const { corsOrigins } = config;
  return corsOrigins.length === 0 ? undefined : { what: "web pages", found: `of ${corsOrigins.join(", ")}` };
}

function control({ modelControl, pollIntervalMs }: ServerConfig): Foreseen {
  const words = {
    none: "loaded at the start",
    poll: `loaded when they change, looked at every ${pollIntervalMs / 1000} s`,
    explicit: "loaded on request",
  };
  return { what: "models", found: words[modelControl] };
}

async function cacheStore(
  config: ServerConfig,
  parts: Required<Surroundings>,
): Promise<Foreseen | undefined> {
  const address = cacheStoreAddressOf(config);
  if (address === undefined) return undefined;
  await openCacheStore(config, { ...parts, metrics: createPrometheusMetrics(), random: Math.random });
  return { what: "cache store", found: `${address.shown}, which is not asked here` };
}

async function traces(config: ServerConfig, parts: Required<Surroundings>): Promise<Foreseen | undefined> {
  const opened = await openTraces(config, {
    ...parts,
    metrics: createPrometheusMetrics(),
    random: Math.random,
  });
  if (opened === undefined) return undefined;
  await opened.close(0);
  return { what: "traces", found: `to ${config.tracesEndpoint}, which is not asked here` };
}
