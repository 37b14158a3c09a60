import { isAbsolute, join } from "node:path";

/** Where a server keeps what can be made or fetched again, unless it is told otherwise; undefined for a user without a home. */
export function usualCacheFolder(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const { XDG_CACHE_HOME: caches = "", HOME: home = "" } = env;
  // The specification of XDG_CACHE_HOME says to ignore anything else.
  if (isAbsolute(caches)) return join(caches, "sconce");
  return isAbsolute(home) ? join(home, ".cache", "sconce") : undefined;
}
