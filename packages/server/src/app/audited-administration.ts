import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Administration } from "../infer/administration.ts";

interface Act {
  readonly audit: "load" | "unload";
  readonly model: string;
  readonly by: string;
}

/** Writes to the log who loaded or unloaded what, and how it ended. */
export function auditedAdministration(administration: Administration, logger: Logger): Administration {
  const audited = async (act: Act, work: Promise<void>): Promise<void> => {
    let outcome = "ok";
    try {
      await work;
    } catch (thrown) {
      outcome = ServeError.from(thrown).reason;
      throw thrown;
    } finally {
      logger.info({ ...act, outcome }, `audit: ${act.by} asked to ${act.audit} a model`);
    }
  };
  return {
    loadModel: (model, signal, by) =>
      audited({ audit: "load", model, by }, administration.loadModel(model, signal, by)),
    unloadModel: (model, signal, by) =>
      audited({ audit: "unload", model, by }, administration.unloadModel(model, signal, by)),
  };
}
