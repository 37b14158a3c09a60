import { readFileSync } from "node:fs";

const BIN = new URL("../../../packages/server/bin/sconce.js", import.meta.url);

/** The flags that `sconce` starts Node with, read from its first line: for whoever starts a server process by hand and wants the same one. */
export function nodeFlags(): string[] {
  const [line = ""] = readFileSync(BIN, "utf8").split("\n", 1);
  return line.split(" ").filter((word) => word.startsWith("--"));
}
