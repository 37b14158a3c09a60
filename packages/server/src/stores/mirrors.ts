import type { Clock } from "../base/clock.ts";
import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Metrics } from "../base/metrics.ts";
import type { StoreState } from "../base/store-state.ts";
import { Mirror } from "./mirror.ts";
import { MirrorKeeper } from "./mirror-keeper.ts";
import { type OpenStoreOptions, openStore } from "./open-store.ts";
import type { StoreAddress } from "./store-address.ts";
import type { StoreCache } from "./store-cache.ts";
import { storeError } from "./store-error.ts";

export interface MirrorsOptions extends OpenStoreOptions {
  readonly addresses: readonly StoreAddress[];
  readonly cache: StoreCache;
  /** How often to look at stores; undefined: until each was read once. */
  readonly intervalMs: number | undefined;
  readonly clock: Clock;
  readonly wallNowMs: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** A copy as a repository sees it. */
export interface MirroredPath {
  /** The folder, which is there from the start. */
  readonly path: string;
  state(): StoreState;
}

/** Copies of stores, kept in step with them. */
export interface Mirrors {
  /** In the order of the addresses. */
  readonly paths: readonly MirroredPath[];
  /** Begins to look at the stores; `onChange` is called after every change. Resolves when it is known of each what to serve. Call it once. */
  start(onChange: () => void): Promise<void>;
  /** Looks at all stores now. Never rejects. */
  refresh(): Promise<void>;
  /** Ends downloads; what has come stays for the next start. */
  close(): void;
}

/** Opens the copies of stores. Rejects with `failed_precondition` when a package is missing or the cache cannot be used. */
export async function openMirrors(options: MirrorsOptions): Promise<Mirrors> {
  const { addresses, clock, random, intervalMs, metrics } = options;
  let onChange = (): void => {};
  const opened: { readonly mirror: Mirror; readonly keeper: MirrorKeeper }[] = [];
  const close = (): void => {
    for (const { keeper, mirror } of opened) {
      keeper.close();
      mirror.close();
    }
  };
  try {
    for (const address of addresses) {
      const { display } = address;
      const logger = options.logger.child({ store: display });
      const store = await onAddress(display, () => openStore(address, options));
      const labels = { store: display };
      const bytes = metrics.counter(
        "sconce_store_bytes_total",
        "Bytes downloaded from a model store.",
        labels,
      );
      const up = metrics.gauge(
        "sconce_store_up",
        "1 while a model store could be read at the last look, else 0.",
        labels,
      );
      const onBytes = (byteLength: number): void => bytes.add(byteLength);
      const mirror = await onAddress(display, () =>
        Mirror.open({ ...options, address, store, logger, onBytes }),
      );
      const keeper = new MirrorKeeper({
        mirror,
        display,
        intervalMs,
        clock,
        random,
        logger,
        onChange: () => onChange(),
        onOutcome: (isRead) => up.set(isRead ? 1 : 0),
      });
      opened.push({ mirror, keeper });
    }
  } catch (error) {
    close();
    throw error;
  }
  return {
    paths: opened.map(({ mirror: { path }, keeper }) => ({ path, state: () => keeper.state })),
    async start(listener) {
      onChange = listener;
      await Promise.all(opened.map(({ keeper }) => keeper.start()));
    },
    async refresh() {
      await Promise.all(opened.map(({ keeper }) => keeper.look()));
    },
    close,
  };
}

async function onAddress<T>(display: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const { code, reason, message } = storeError(thrown);
    throw ServeError.of(code, `${display}: ${message}`, { reason, cause: thrown });
  }
}
