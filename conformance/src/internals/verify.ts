/** How `sconce verify` finds where a difference begins, for a test that makes translations wrong. */
export {
  type FoundDifference,
  findDifference,
} from "../../../packages/server/dist/cli/verify/find-difference.js";
export { PLAIN_LOAD } from "../../../packages/server/dist/runtime/plain-load.js";
