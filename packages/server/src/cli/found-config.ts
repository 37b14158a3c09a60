import { existsSync } from "node:fs";
import type { Arguments } from "./arguments.ts";

/** The configuration file that is found without being named. */
const FOUND = "sconce.yaml";
/** What `--config` is set to by somebody who wants none. */
const NONE = "none";

/** The flags of a command that serves, with `--config sconce.yaml` where nobody named another and one lies in the current folder. */
export function withFoundConfig(
  flags: Arguments["flags"],
  env: Readonly<Record<string, string | undefined>>,
): { readonly flags: Arguments["flags"]; readonly found: string | undefined } {
  const named = flags.get("--config") ?? env["SCONCE_CONFIG"];
  if (named === undefined && existsSync(FOUND)) {
    return { flags: new Map([...flags, ["--config", FOUND]]), found: FOUND };
  }
  if (flags.get("--config") !== NONE) return { flags, found: undefined };
  return { flags: new Map([...flags].filter(([flag]) => flag !== "--config")), found: undefined };
}
