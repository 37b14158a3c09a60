import type { RunningServer } from "../app/start-server.ts";
import { oneLine } from "../base/printable.ts";

const MOST_NAMED = 5;

/** Which models are still on their way, for whoever waits at a terminal; undefined when none is. */
export function loadingNote(models: ReturnType<RunningServer["models"]>): string | undefined {
  const loading = models.filter(({ state }) => state === "LOADING").map(({ name }) => oneLine(name));
  if (loading.length === 0) return undefined;
  const named = loading.slice(0, MOST_NAMED).join(", ");
  const more = loading.length > MOST_NAMED ? `, and ${loading.length - MOST_NAMED} more` : "";
  return `loading ${named}${more}; ${models.length - loading.length} of ${models.length} done`;
}
