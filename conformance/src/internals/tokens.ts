/** How a task's worker splits text, for a test that compares it with the Rust library. */
export { SideFiles } from "../../../packages/server/dist/runtime/tasks/side-files.js";
export { openTokenizer } from "../../../packages/server/dist/runtime/tasks/text/open-tokenizer.js";
export { tokenOffsets } from "../../../packages/server/dist/runtime/tasks/text/token-offsets.js";
