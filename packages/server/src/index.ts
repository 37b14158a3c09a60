export type { ServerOptions } from "./app/complete-options.ts";
export type { Predict, PredictOptions } from "./app/predict-in-process.ts";
export { type RunningServer, startServer } from "./app/start-server.ts";
export { type Clock, systemClock } from "./base/clock.ts";
export { ServeError } from "./base/errors.ts";
export type { Logger } from "./base/logger.ts";
export { type Config, loadConfig } from "./config/load-config.ts";
