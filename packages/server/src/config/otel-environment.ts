import { envName } from "./option.ts";
import type { ServerConfig } from "./server-options.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** Samplers of OpenTelemetry: whether they follow the parent, and their ratio where it is not the argument. */
const SAMPLERS: Readonly<Record<string, readonly [decision: ServerConfig["traceDecision"], ratio?: string]>> =
  {
    always_on: ["own", "1"],
    always_off: ["own", "0"],
    traceidratio: ["own"],
    parentbased_always_on: ["parent", "1"],
    parentbased_always_off: ["parent", "0"],
    parentbased_traceidratio: ["parent"],
  };

/**
 * What OpenTelemetry's variables say, as variables of Sconce: a machine's environment turns traces on by naming a collector. As OpenTelemetry
 * asks, a value that nobody knows counts as none.
 */
export function otelSettings(env: Env): Readonly<Record<string, string>> {
  const settings: Record<string, string> = {};
  const set = (option: keyof ServerConfig, value: string | undefined): void => {
    if (value !== undefined) settings[envName(option)] = value;
  };
  if (isOff(env)) return settings;
  const protocol = ofTraces(env, "PROTOCOL");
  const isGrpc = (env[envName("tracesProtocol")] ?? protocol) === "grpc";
  set("tracesEndpoint", endpointOf(env, isGrpc));
  if (isGrpc) set("tracesProtocol", "grpc");
  set("tracesHeaders", jsonOf(ofTraces(env, "HEADERS")));
  set("tracesCa", ofTraces(env, "CERTIFICATE"));
  set("tracesCert", ofTraces(env, "CLIENT_CERTIFICATE"));
  set("tracesKey", ofTraces(env, "CLIENT_KEY"));
  const { OTEL_SERVICE_NAME: name, OTEL_RESOURCE_ATTRIBUTES: attributes } = env;
  set("tracesResource", jsonOf(attributes, name ? { "service.name": name } : {}));
  const sampler = SAMPLERS[env["OTEL_TRACES_SAMPLER"] ?? ""];
  if (sampler !== undefined) {
    const [decision, ratio = ratioOf(env["OTEL_TRACES_SAMPLER_ARG"])] = sampler;
    set("traceDecision", decision);
    set("traceSampling", ratio);
  }
  return settings;
}

function isOff({ OTEL_SDK_DISABLED: disabled, OTEL_TRACES_EXPORTER: exporters }: Env): boolean {
  if (disabled?.toLowerCase() === "true") return true;
  return Boolean(exporters) && !exporters!.split(",").some((one) => one.trim() === "otlp");
}

/** A variable of traces comes before that of all signals. An empty one counts as none. */
function ofTraces(env: Env, what: string): string | undefined {
  return env[`OTEL_EXPORTER_OTLP_TRACES_${what}`] || env[`OTEL_EXPORTER_OTLP_${what}`] || undefined;
}

function endpointOf(env: Env, isGrpc: boolean): string | undefined {
  const own = env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
  if (own) return own;
  const shared = env["OTEL_EXPORTER_OTLP_ENDPOINT"];
  if (!shared || isGrpc) return shared || undefined;
  return `${shared.replace(/\/$/, "")}/v1/traces`;
}

/** `a=1,b=2`, values percent-encoded, as a mapping in JSON. */
function jsonOf(list: string | undefined, more: Readonly<Record<string, string>> = {}): string | undefined {
  const pairs = (list ?? "").split(",").flatMap((pair) => {
    const at = pair.indexOf("=");
    return at <= 0 ? [] : [[pair.slice(0, at).trim(), decoded(pair.slice(at + 1).trim())] as const];
  });
  const mapping = { ...Object.fromEntries(pairs), ...more };
  return Object.keys(mapping).length === 0 ? undefined : JSON.stringify(mapping);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function ratioOf(argument: string | undefined): string {
  const ratio = argument ? Number(argument) : 1;
  return ratio >= 0 && ratio <= 1 ? String(ratio) : "1";
}
