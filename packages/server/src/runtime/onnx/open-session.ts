import type { LoadOptions } from "../runtime.ts";
import { createEngineSession, type EngineSession } from "./engine-session.ts";
import { openOnDevice } from "./execution-provider.ts";
import { sessionOptions } from "./session-options.ts";

/** Opens a model, a path or its bytes, as it was asked for; `weightsFolder` as for `sessionOptions`. Rejects with ONNX Runtime's own error. */
export async function openSession(
  model: string | Uint8Array,
  options: LoadOptions,
  weightsFolder: string | undefined,
): Promise<EngineSession> {
  const usual = sessionOptions(options, weightsFolder);
  const { device = "cpu" } = options;
  if (device !== "cpu" && device !== "auto") return openOnDevice(model, usual, device);
  if (options.profile === undefined) return createEngineSession(model, usual);
  const { profiling } = await import("./profile-files.ts");
  return createEngineSession(model, profiling(usual, options.profile, model));
}
