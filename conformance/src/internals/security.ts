/** What suites and benchmarks need to ask servers that ask who they are. */
export { createRestSender } from "../../../packages/server/dist/cli/bench/rest-sender.js";
export { makeCertificate } from "../../../packages/server/dist/edge/certificates.kit.js";
export { makeKey } from "../../../packages/server/dist/gate/api-keys.js";
