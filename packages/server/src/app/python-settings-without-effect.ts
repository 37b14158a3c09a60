import type { ModelConfig } from "../config/model-options.ts";
import type { LoadedModel } from "../runtime/runtime.ts";

/** One sentence for each setting that a model itself has and only PyTorch would follow: whoever writes it expects that PyTorch runs the model. */
export function pythonSettingsWithoutEffect(
  { runtime }: LoadedModel["description"],
  config: ModelConfig,
  defaults: ModelConfig,
): string[] {
  if (runtime !== "onnx") return [];
  const names = config.compile && !defaults.compile ? ["compile"] : [];
  return names.map(
    (name) => `${name} has no effect: the model is translated; runtime: python has PyTorch run it`,
  );
}
