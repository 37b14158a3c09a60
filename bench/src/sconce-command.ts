import { fileURLToPath } from "node:url";
import { nodeFlags } from "sconce/internal/cli/node-flags";

/** `sconce` as its first line starts it: the arguments for Node. */
export const SCONCE: readonly string[] = [
  ...nodeFlags(),
  fileURLToPath(new URL("../../packages/server/bin/sconce.js", import.meta.url)),
];
