import type { Administration } from "../infer/administration.ts";
import type { LoadParameters } from "./control-parameters.ts";

/** Loads a model as a request asks: from its own files, or from those that came with it. */
export async function loadModel(
  administration: Administration,
  name: string,
  { files, settings, signal }: LoadParameters & { readonly signal: AbortSignal },
): Promise<void> {
  if (files === undefined || administration.uploadModel === undefined)
    await administration.loadModel(name, signal, settings);
  else await administration.uploadModel(name, { files, settings }, signal);
}
