import type { InferenceSession } from "onnxruntime-node";
import type { LoadOptions } from "../runtime.ts";

/**
 * How ONNX Runtime is set up.
 *
 * - Threads: the scheduler shares out the cores, so each session gets exactly its part; between operators there is no parallelism.
 * - Spinning off: idle threads must not burn the cores of other workers. (Measured at 2 threads: 382 µs off, 362 µs on.)
 * - `memory: "shared"`: weights stay pages of the model file that all workers share, so nothing may copy them (no prepacking) and freed
 *   memory goes back (no arena). It costs 10 to 35 % of speed.
 *
 * `weightsFolder` is where the model's external data lies; undefined when it has none or is loaded by path.
 */
export function sessionOptions(
  options: LoadOptions,
  weightsFolder: string | undefined,
): InferenceSession.SessionOptions {
  const isShared = options.memory === "shared";
  return {
    executionProviders: ["cpu"],
    executionMode: "sequential",
    intraOpNumThreads: Math.max(1, options.threadsPerInstance),
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    enableCpuMemArena: !isShared,
    enableMemPattern: !isShared,
    // Fatal only: what a run throws is logged once where it is handled, under the model's name and with a limit.
    logSeverityLevel: 4,
    extra: {
      session: {
        intra_op: { allow_spinning: "0" },
        inter_op: { allow_spinning: "0" },
        ...(isShared && { disable_prepacking: "1" }),
        ...(weightsFolder !== undefined && { model_external_initializers_file_folder_path: weightsFolder }),
      },
    },
  };
}
