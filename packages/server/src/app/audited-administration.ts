import { ServeError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Administration } from "../infer/administration.ts";

interface Act {
  readonly audit: "load" | "upload" | "unload" | "set_default" | "rollout";
  readonly model: string;
  readonly version?: string | undefined;
  /** Of a rollout. */
  readonly action?: string;
}

/** Writes to the log who loaded or unloaded what, and how it ended. */
export function auditedAdministration(
  administration: Administration,
  { logger, by }: { readonly logger: Logger; readonly by: string },
): Administration {
  const tell = (act: Act, outcome: string): void =>
    logger.info({ ...act, by, outcome }, `audit: ${act.audit} of a model, asked for by ${by}`);
  const audited = async (act: Act, work: Promise<void>): Promise<void> => {
    try {
      await work;
    } catch (thrown) {
      tell(act, ServeError.from(thrown).reason);
      throw thrown;
    }
    tell(act, "ok");
  };
  const { uploadModel } = administration;
  return {
    uploadModel:
      uploadModel &&
      ((model, uploaded, signal) =>
        audited({ audit: "upload", model }, uploadModel(model, uploaded, signal))),
    loadModel: (model, signal, settings) =>
      audited({ audit: "load", model }, administration.loadModel(model, signal, settings)),
    unloadModel: (model, signal, version) =>
      audited({ audit: "unload", model, version }, administration.unloadModel(model, signal, version)),
    steerRollout(model, signal, command) {
      const { action, version } = command;
      return audited(
        { audit: "rollout", model, version, action },
        administration.steerRollout(model, signal, command),
      );
    },
    setDefaultVersion(model, version) {
      administration.setDefaultVersion(model, version);
      tell({ audit: "set_default", model, version }, "ok");
    },
  };
}
