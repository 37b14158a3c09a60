import { createHttpsStore } from "./https-store.ts";
import type { Store } from "./store.ts";
import type { StoreAddress } from "./store-address.ts";

export interface OpenStoreOptions {
  /** Certificates of CAs, as PEM, in place of those that Node trusts. */
  readonly ca: readonly string[] | undefined;
  /** How long a store may be silent. */
  readonly idleMs: number;
}

/** What reads an address. Rejects with `failed_precondition`/`no_store_client` when a package for it is missing. */
export async function openStore(address: StoreAddress, { ca, idleMs }: OpenStoreOptions): Promise<Store> {
  switch (address.kind) {
    case "https":
      return createHttpsStore(address, { ca });
    case "s3":
      return (await import("./s3-store.ts")).createS3Store(address, { ca, timeoutMs: idleMs });
    case "gs":
      return (await import("./gs-store.ts")).createGsStore(address);
  }
}
