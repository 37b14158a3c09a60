import type { CompleteOptions } from "./complete-options.ts";
import type { EdgeProcesses } from "./edges/edge-processes.ts";
import type { Instruments } from "./open-instruments.ts";
import { createReloader, type Reloadable, type Reloader } from "./reloader.ts";

type Renewed = Pick<Instruments, "authentication" | "live" | "tls" | "edgeProcesses">;

/** What is read again when its files change: certificates, keys and the configuration. */
export function openReloader(
  { config: { server }, readConfig, clock, logger }: CompleteOptions,
  { tls, authentication, live, edgeProcesses }: Renewed,
): Promise<Reloader> {
  const files: Reloadable[] = [...(authentication?.reloadables ?? [])];
  if (tls !== undefined) files.push(tls.reloadable);
  const things = edgeProcesses === undefined ? files : files.map((file) => alsoIn(edgeProcesses, file));
  if (readConfig !== undefined) {
    things.push({
      what: "the configuration",
      paths: server.config === undefined ? [] : [server.config],
      async reload() {
        const waiting = live.apply(readConfig().server);
        edgeProcesses?.setLogLevel(live.logLevel);
        if (waiting.length > 0) logger.warn({}, `a restart is needed for ${waiting.join(", ")}`);
      },
    });
  }
  return createReloader(things, { clock, logger, intervalMs: server.reloadIntervalMs });
}

/** What this process could read, edge processes read as well. */
function alsoIn(edgeProcesses: EdgeProcesses, { reload, ...thing }: Reloadable): Reloadable {
  return {
    ...thing,
    async reload() {
      await reload();
      await edgeProcesses.reload();
    },
  };
}
