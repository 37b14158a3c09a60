/** What `sconce doctor` asks stores. */
export { examineStores } from "../../../packages/server/dist/cli/doctor/examine-stores.js";
/** The server's own way to Redis, for suites that look at what is there or put something else in its place. */
export { connectRedis } from "../../../packages/server/dist/infer/cache/redis-connection.js";
export type { StoreConnection } from "../../../packages/server/dist/infer/cache/store-connection.js";
