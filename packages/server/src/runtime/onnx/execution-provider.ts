import { type InferenceSession, listSupportedBackends } from "onnxruntime-node";
import { type DeviceName, deviceMissing, deviceText, readDevices } from "../device-name.ts";
import { createEngineSession, type EngineSession } from "./engine-session.ts";
import { firstSentence } from "./model-error.ts";

/** What ONNX Runtime is told to compute on. */
export function executionProvider({ kind, index }: DeviceName): InferenceSession.ExecutionProviderConfig {
  // WebGPU and CoreML know no numbers.
  return kind === "cuda" || kind === "dml" ? { name: kind, deviceId: index ?? 0 } : kind;
}

/** What is set besides: DirectML takes no memory patterns. */
export function providerLimits({ kind }: DeviceName): InferenceSession.SessionOptions {
  return kind === "dml" ? { enableMemPattern: false } : {};
}

/**
 * The device of one of a model's instances, which share out those that `text` names; `auto` is the processor. `offered`: what ONNX Runtime was built
 * for. Throws `failed_precondition`: `option_unsupported`, or `device_missing` for what it was not built for.
 */
export function deviceOfInstance(text: string, instance: number, offered: () => readonly string[]): string {
  const devices = readDevices(text);
  if (devices.length === 0) return "cpu";
  const device = devices[instance % devices.length]!;
  if (device.kind === "cpu") return "cpu";
  const kinds = offered();
  const why = `this system's ONNX Runtime was built for ${kinds.join(", ")}`;
  if (!kinds.includes(device.kind)) throw deviceMissing(device.kind, why);
  return deviceText(device);
}

/** Without the names of functions and conditions before the sentence that tells. */
function whyAbsent(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return firstSentence(
    text.replace(/^[\s\S]*was false\.\s+/, "").replace(/^OrtSessionOptionsAppend\w+: /, ""),
  );
}

/** What ONNX Runtime was built for on this system. Whether the machine has it shows when a model is opened on it. */
export function builtFor(): readonly string[] {
  return listSupportedBackends().map(({ name }) => name);
}

/**
 * Opens a model on a device other than the processor. Where that fails and the processor takes the model, the device is to blame: rejects with
 * `device_missing` then, else with ONNX Runtime's own error.
 */
export async function openOnDevice(
  model: string | Uint8Array,
  options: InferenceSession.SessionOptions,
  device: string,
): Promise<EngineSession> {
  try {
    return await createEngineSession(model, options);
  } catch (error) {
    const onProcessor = await createEngineSession(model, { ...options, executionProviders: ["cpu"] });
    await onProcessor.release();
    throw deviceMissing(device, whyAbsent(error), error);
  }
}
