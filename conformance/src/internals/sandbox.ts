/** Whether this machine can have a sandbox. */
export { findSandbox } from "../../../packages/server/dist/worker/find-sandbox.js";
