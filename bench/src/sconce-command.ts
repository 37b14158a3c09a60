import { fileURLToPath } from "node:url";

/** `sconce` as its first line starts it: the arguments for Node. */
export const SCONCE: readonly string[] = [
  "--max-semi-space-size=64",
  fileURLToPath(new URL("../../packages/server/bin/sconce.js", import.meta.url)),
];
