import { createHttpsStore } from "./https-store.ts";
import type { Store } from "./store.ts";
import type { StoreAddress } from "./store-address.ts";

export interface OpenStoreOptions {
  /** Certificates of CAs, as PEM, in place of those that Node trusts. */
  readonly ca: readonly string[] | undefined;
  /** How long a store may be silent. */
  readonly idleMs: number;
  /** Objects that are asked for at once. Default: 1000, the most that stores give. */
  readonly pageObjects?: number;
}

const PAGE_OBJECTS = 1000;

/** What reads an address. Rejects with `failed_precondition`/`no_store_client` when a package for it is missing. */
export async function openStore(address: StoreAddress, options: OpenStoreOptions): Promise<Store> {
  const { ca, idleMs: timeoutMs, pageObjects = PAGE_OBJECTS } = options;
  switch (address.kind) {
    case "https":
      return createHttpsStore(address, { ca });
    case "s3":
      return (await import("./s3-store.ts")).createS3Store(address, { ca, timeoutMs, pageObjects });
    case "gs":
      return (await import("./gs-store.ts")).createGsStore(address, { pageObjects });
  }
}
