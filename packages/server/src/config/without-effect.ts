import { nearestWord } from "../base/nearest-word.ts";
import type { Config } from "./load-config.ts";
import { MODEL_OPTIONS } from "./model-options.ts";
import { envName, flagName } from "./option.ts";
import { SERVER_OPTIONS, type ServerConfig } from "./server-options.ts";

/** What is served with these options. */
export interface Served {
  /** Some of it lies in a store: S3, Google Cloud Storage, or behind a URL. */
  readonly hasStores: boolean;
}

interface Need {
  /** Options that do nothing … */
  readonly options: readonly (keyof ServerConfig)[];
  /** … unless this holds. */
  readonly isMet: (server: ServerConfig, served: Served) => boolean;
  readonly words: string;
}

const NEEDS: readonly Need[] = [
  {
    options: ["maxLoadedModels", "modelMemoryBudgetBytes"],
    isMet: ({ lazyLoading }) => lazyLoading,
    words: "--lazy-loading",
  },
  {
    options: ["loadModels", "allowLoadConfig", "allowModelUpload", "allowProfile"],
    isMet: ({ modelControl }) => modelControl === "explicit",
    words: "--model-control explicit",
  },
  {
    options: ["uploadsSizeBytes"],
    isMet: ({ allowModelUpload }) => allowModelUpload,
    words: "--allow-model-upload",
  },
  {
    options: ["recordLimitBytes"],
    isMet: ({ record }) => record !== undefined,
    words: "--record",
  },
  {
    options: ["pollIntervalMs"],
    isMet: ({ modelControl }) => modelControl === "poll",
    words: "--model-control poll",
  },
  {
    options: ["jwtIssuer", "jwtAudience"],
    isMet: ({ jwtKeys }) => jwtKeys !== undefined,
    words: "--jwt-keys",
  },
  {
    options: ["torchservePorts", "torchserveHosts", "workflowStore", "tsConfig"],
    isMet: ({ compat }) => compat === "torchserve",
    words: "--compat torchserve",
  },
  {
    options: ["storeCache", "storeCacheSizeBytes", "storeTimeoutMs", "storeCa"],
    isMet: (_, { hasStores }) => hasStores,
    words: "a model at s3://, gs:// or https://",
  },
  {
    options: [
      "cacheStorePasswordFile",
      "cacheStoreSecretFile",
      "cacheStoreCa",
      "cacheStoreCert",
      "cacheStoreKey",
      "cacheStoreTimeoutMs",
      "cacheStoreMaxValueBytes",
    ],
    isMet: ({ cacheStore }) => cacheStore !== undefined,
    words: "--cache-store",
  },
  {
    options: ["tokenExpirationMs"],
    isMet: ({ torchserveTokens }) => torchserveTokens !== undefined,
    words: "--torchserve-tokens",
  },
  {
    options: ["sandboxRead"],
    isMet: ({ sandbox }) => sandbox !== "off",
    words: "--sandbox",
  },
  {
    options: ["tenantQuotaBurst"],
    isMet: ({ tenantQuota }) => tenantQuota !== undefined,
    words: "--tenant-quota",
  },
  {
    options: [
      "tracesProtocol",
      "traceSampling",
      "traceDecision",
      "allowTraceSettings",
      "tracesHeaders",
      "tracesResource",
      "tracesCa",
      "tracesCert",
      "tracesKey",
    ],
    isMet: ({ tracesEndpoint }) => tracesEndpoint !== undefined,
    words: "--traces-endpoint",
  },
];

/** One sentence for each option that is set and does nothing as the others are. */
export function optionsWithoutEffect({ server }: Pick<Config, "server">, served: Served): string[] {
  return NEEDS.filter(({ isMet }) => !isMet(server, served)).flatMap(({ options, words }) =>
    options
      .filter((name) => String(server[name] ?? "") !== String(SERVER_OPTIONS[name].default ?? ""))
      .map((name) => `${flagName(name)} has no effect without ${words}`),
  );
}

/** Variables that only tests of Sconce itself read, and those of clients: the keys of its commands and of the calls that it shows, and its example's server. */
const OWN_VARIABLE = /^SCONCE_((TEST|REQUIRE|FAULT|STREAMING|WRITE)_|(API_KEY|KEY|URL)$)/;

/** One sentence for each variable that is called like one of Sconce's and is none. */
export function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = [...Object.keys(SERVER_OPTIONS), ...Object.keys(MODEL_OPTIONS)].map(envName);
  const isKnown = new Set(known);
  return Object.keys(env)
    .filter((name) => name.startsWith("SCONCE_") && !isKnown.has(name) && !OWN_VARIABLE.test(name))
    .map((name) => {
      const near = nearestWord(name, known);
      return `the environment variable ${name.slice(0, 80)} has no effect${near === undefined ? "" : `; did you mean ${near}?`}`;
    });
}
