import { flagName } from "../config/option.ts";
import type { ServerConfig } from "../config/server-options.ts";
import type { CallerRate } from "../gate/caller.ts";

/** What of the configuration may change while the server runs. */
export interface LiveSettings {
  readonly logLevel: string;
  /** Of every tenant without a rate of its own; undefined: no limit. */
  readonly tenantRate: CallerRate | undefined;
  /** Takes what may change. Returns the flags of what else differs, which needs a restart. */
  apply(next: ServerConfig): readonly string[];
}

const LIVE: ReadonlySet<string> = new Set(["logLevel", "tenantQuota", "tenantQuotaBurst"]);

export function createLiveSettings(config: ServerConfig): LiveSettings {
  let current = config;
  return {
    get logLevel() {
      return current.logLevel;
    },
    get tenantRate() {
      const { tenantQuota: perSecond, tenantQuotaBurst: burst } = current;
      return perSecond === undefined ? undefined : { perSecond, burst };
    },
    apply(next) {
      const changed = (Object.keys(config) as (keyof ServerConfig)[]).filter(
        (name) => !LIVE.has(name) && String(next[name]) !== String(config[name]),
      );
      current = next;
      return changed.map(flagName);
    },
  };
}
