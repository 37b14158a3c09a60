import type { ModelControl } from "./model-control.ts";
import type { Overrides } from "./model-overrides.ts";
import type { ModelUploads, UploadedFiles } from "./model-uploads.ts";

/** Control of models that may also come in requests. */
export interface UploadingControl extends ModelControl {
  /**
   * As `ModelControl.loadModel` with these files in place of those the model had, or of a new model. They stay until the model is unloaded, or others are
   * uploaded; when the load fails, what was there before stays.
   */
  uploadModel(
    name: string,
    model: { readonly files: UploadedFiles; readonly settings: Overrides | undefined },
    signal: AbortSignal,
  ): Promise<void>;
}

/** `control` looks at `uploads.over(…)`. */
export function createUploadingControl(control: ModelControl, uploads: ModelUploads): UploadingControl {
  return {
    ...control,
    async uploadModel(name, { files, settings }, signal) {
      control.requireExplicit();
      const replacement = await uploads.replace(name, files);
      try {
        await control.loadModel(name, signal, settings);
      } catch (error) {
        await replacement.undo();
        await control.refresh();
        throw error;
      }
      await replacement.keep();
    },
    async unloadModel(name, signal, version) {
      await control.unloadModel(name, signal, version);
      if (version === undefined && (await uploads.remove(name))) await control.refresh();
    },
  };
}
