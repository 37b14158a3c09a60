import { fileURLToPath } from "node:url";
import { nodeFlags } from "@sconce/conformance/internals/server";

/** `sconce` as its first line starts it: the arguments for Node. */
export const SCONCE: readonly string[] = [
  ...nodeFlags(),
  fileURLToPath(new URL("../../packages/server/bin/sconce.js", import.meta.url)),
];
