/** The parts that read stores, for tests against real ones. */
export { systemClock } from "../../../packages/server/dist/base/clock.js";
export { silentLogger } from "../../../packages/server/dist/base/logger.js";
export { Mirror } from "../../../packages/server/dist/stores/mirror.js";
export { openStore } from "../../../packages/server/dist/stores/open-store.js";
export type { Store } from "../../../packages/server/dist/stores/store.js";
export { parseStoreAddress, type StoreAddress } from "../../../packages/server/dist/stores/store-address.js";
export { StoreCache } from "../../../packages/server/dist/stores/store-cache.js";
export { storeError } from "../../../packages/server/dist/stores/store-error.js";
