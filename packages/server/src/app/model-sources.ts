import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { atExit } from "../base/at-exit.ts";
import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import { faultWords } from "../base/file-fault.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import { readAtMostSync } from "../base/read-at-most.ts";
import type { Config } from "../config/load-config.ts";
import type { ServerConfig } from "../config/server-options.ts";
import type { RepositoryPath } from "../models/repository.ts";
import type { Mirrors, MirrorsOptions } from "../stores/mirrors.ts";
import { isStoreAddress } from "../stores/store-address.ts";
import { usualCacheFolder } from "./cache-folder.ts";
import { MAX_PEM_BYTES } from "./certificate-files.ts";
import { checkPaths } from "./check-paths.ts";
import { repositoryPath } from "./repository-path.ts";

/** Where the models of a server come from. */
export interface ModelSources {
  /** Paths of this machine, copies of stores among them. */
  readonly paths: readonly RepositoryPath[];
  /** The stores whose copies are among the paths; undefined: none. */
  readonly stores: Mirrors | undefined;
  /** Private and empty: a folder of models, where the handlers of TorchServe's workflows are put; undefined: nowhere. */
  readonly workflowsFolder: string | undefined;
  /** Private and empty: where models lie that come in requests; undefined: none may. */
  readonly uploadsFolder: string | undefined;
  /** Deletes these folders. */
  readonly removeFolders: () => void;
}

interface Options {
  readonly paths: readonly string[];
  readonly config: Config;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

/**
 * Looks at what the operator named. Rejects with `invalid_argument`/`missing_path` or `bad_store_address`, `failed_precondition`/`unreadable_path`,
 * `no_store_client` or `store_refused`.
 */
export async function openModelSources(options: Options, metrics: Metrics): Promise<ModelSources> {
  const paths = options.paths.map(repositoryPath);
  const isStored = ({ path }: RepositoryPath): boolean => isStoreAddress(path);
  await checkPaths(paths.filter((path) => !isStored(path)).map(({ path }) => path));
  const stored = paths.filter(isStored);
  const { server } = options.config;
  checkUploads(server);
  if (stored.length === 0) return { paths, stores: undefined, ...ownFolders(server) };
  const stores = await openStores(
    stored.map(({ path }) => path),
    options,
    metrics,
  );
  const copies = stores.paths.values();
  return {
    stores,
    ...ownFolders(server),
    paths: paths.map((path) => (isStored(path) ? { ...path, ...copies.next().value } : path)),
  };
}

/** Ends the reading of stores, and deletes what requests brought. */
export function closeSources({ stores, removeFolders }: ModelSources): void {
  stores?.close();
  removeFolders();
}

/** Throws `invalid_argument`/`bad_option`. */
function checkUploads({ allowModelUpload, allowPickle }: ServerConfig): void {
  if (!allowModelUpload || !allowPickle) return;
  throw new ServeError(
    "invalid_argument",
    "--allow-model-upload does not go with --allow-pickle: a request could bring code",
    { reason: "bad_option" },
  );
}

/** For their owner alone. */
function ownFolders({
  allowModelUpload,
  modelControl,
  compat,
}: ServerConfig): Pick<ModelSources, "uploadsFolder" | "workflowsFolder" | "removeFolders"> {
  const make = (name: string, isWanted: boolean): string | undefined =>
    isWanted && modelControl === "explicit" ? mkdtempSync(join(tmpdir(), `sconce-${name}-`)) : undefined;
  const uploadsFolder = make("uploads", allowModelUpload);
  const workflowsFolder = make("workflows", compat === "torchserve");
  const made = [uploadsFolder, workflowsFolder].filter((folder) => folder !== undefined);
  const remove = (): void => {
    for (const folder of made) rmSync(folder, { recursive: true, force: true });
  };
  const forget = made.length === 0 ? () => {} : atExit(remove);
  const removeFolders = (): void => {
    forget();
    remove();
  };
  return { uploadsFolder, workflowsFolder, removeFolders };
}

async function openStores(texts: readonly string[], options: Options, metrics: Metrics): Promise<Mirrors> {
  const [{ openMirrors }, { parseStoreAddress }, { StoreCache }] = await Promise.all([
    import("../stores/mirrors.ts"),
    import("../stores/store-address.ts"),
    import("../stores/store-cache.ts"),
  ]);
  const { clock, random, logger } = options;
  const { server: config } = options.config;
  const folder = resolve(config.storeCache ?? usualFolder());
  const cache = new StoreCache({ folder, maxBytes: config.storeCacheSizeBytes });
  const fault = cache.fault();
  if (fault !== undefined) throw noCache(`the folder for copies of models, ${folder}, ${fault}`);
  return await openMirrors({
    addresses: texts.map(parseStoreAddress),
    cache,
    ca: certificatesOf(config),
    idleMs: config.storeTimeoutMs,
    intervalMs: config.modelControl === "poll" ? config.pollIntervalMs : undefined,
    clock,
    wallNowMs: Date.now,
    random,
    metrics,
    logger,
  } satisfies MirrorsOptions);
}

function usualFolder(): string {
  const caches = usualCacheFolder(process.env);
  if (caches === undefined) throw noCache("the server's user has no home folder for copies of models");
  return join(caches, "stores");
}

function noCache(what: string): ServeError {
  return new ServeError("failed_precondition", `${what}: name one with --store-cache`, {
    reason: "store_refused",
  });
}

/** The CAs of stores. Throws `failed_precondition`/`unreadable_path` and its like. */
export function certificatesOf({ storeCa }: Pick<ServerConfig, "storeCa">): readonly string[] | undefined {
  if (storeCa === undefined) return undefined;
  try {
    const bytes = readAtMostSync(storeCa, MAX_PEM_BYTES);
    if (bytes !== undefined) return [bytes.toString("utf8")];
  } catch (cause) {
    throw new ServeError("failed_precondition", `--store-ca ${storeCa}: ${faultWords(cause)}`, {
      reason: "bad_certificate",
      cause,
    });
  }
  throw new ServeError("failed_precondition", `--store-ca ${storeCa}: larger than ${MAX_PEM_BYTES} bytes`, {
    reason: "bad_certificate",
  });
}
