/** Whether this machine can have a sandbox. */
export { createSandbox, missingForSandbox } from "../../../packages/server/dist/worker/sandbox.js";
