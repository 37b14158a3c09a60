import { readFileSync } from "node:fs";

const BIN = new URL("../../../packages/server/bin/sconce.js", import.meta.url);

/** The flags that `sconce` starts Node with, read from its first line: for starting a server process by hand with the same flags. */
export function nodeFlags(): string[] {
  const [line = ""] = readFileSync(BIN, "utf8").split("\n", 1);
  return line.split(" ").filter((word) => word.startsWith("--"));
}
