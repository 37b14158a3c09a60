import { ServeError } from "../base/errors.ts";
import type { KnownModels } from "./known-models.ts";
import { untilAborted } from "./load-limit.ts";
import { notLoaded, overtaken } from "./registry-refusals.ts";

interface Waiting {
  readonly signal: AbortSignal;
  /** The server ends. */
  isClosed(): boolean;
}

/** Loads the wanted versions of a model because somebody asked for it; rejects as `ManagedRegistry.loadModel` does. */
export async function loadWanted(
  known: KnownModels,
  name: string,
  { signal, isClosed }: Waiting,
): Promise<void> {
  known.rejectUnreadable(name);
  known.rejectBroken(name);
  known.require(name).enabled = true;
  known.noteAsked(name);
  let due = known.wanted(name).filter((version) => !version.current || !version.well);
  while (due.length > 0) {
    await untilAborted(Promise.all(due.map((version) => version.load())), signal);
    const wanted = known.wanted(name);
    const kept = due.filter((version) => known.require(name).isHeldBack(version));
    const failed = [...wanted, ...kept].filter((version) => version.rejected);
    if (failed.length > 0) throw notLoaded(name, failed);
    // Others may have changed the same model meanwhile: newer files are loaded as well, an unload has the last word.
    due = wanted.filter((version) => !version.current);
    if (due.length === 0) return;
    if (isClosed())
      throw new ServeError("unavailable", "the server is shutting down", { reason: "draining" });
    if (!known.require(name).enabled) throw overtaken(name);
  }
}
