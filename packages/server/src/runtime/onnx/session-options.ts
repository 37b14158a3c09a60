import type { InferenceSession } from "onnxruntime-node";
import { type DeviceName, readDevices } from "../device-name.ts";
import type { LoadOptions } from "../runtime.ts";
import { executionProvider, providerLimits } from "./execution-provider.ts";

/** How long a thread of a running model waits for work before it sleeps. */
const SPIN_US = "50";
const PROCESSOR: DeviceName = { kind: "cpu", index: undefined };
/** Smaller weights stay in a graph that is written. */
const LARGE_WEIGHT_BYTES = 1024;

/**
 * How ONNX Runtime is set up.
 *
 * - Threads: the scheduler shares out the cores, so each session gets exactly its part; between operators there is no parallelism.
 * - Threads wait actively for 50 µs, and never between runs: between two operators the next piece of work is there sooner than a thread could be
 *   woken. (Measured at 2 threads, per run: an encoder of 128 tokens 9.2 ms without, 7.9 with, processor time 17.4 and 15.8 ms; ONNX
 *   Runtime's own default is as fast, but burns 20 ms of a core after each run, and doubles the time where cores are contended.)
 * - `memory: "shared"`: weights stay pages of the model file that all workers share, so nothing may copy them (no prepacking) and freed
 *   memory goes back (no arena). It costs 10 to 35 % of speed.
 * - Products of 8-bit codes are exact on every processor: those without VNNI add pairs of them in 16 bits, which overflow, unless ONNX Runtime is told to
 *   widen the weights.
 *
 * `weightsFolder` is where the model's external data lies; undefined when it has none or is loaded by path.
 */
export function sessionOptions(
  options: LoadOptions,
  weightsFolder: string | undefined,
): InferenceSession.SessionOptions {
  const isShared = options.memory === "shared";
  const device = readDevices(options.device ?? "auto")[0] ?? PROCESSOR;
  return {
    executionProviders: [executionProvider(device)],
    executionMode: "sequential",
    intraOpNumThreads: Math.max(1, options.threadsPerInstance),
    interOpNumThreads: 1,
    graphOptimizationLevel: options.isOptimised === false ? "disabled" : "all",
    enableCpuMemArena: !isShared,
    enableMemPattern: !isShared,
    ...providerLimits(device),
    // Fatal only: what a run throws is logged once where it is handled, under the model's name and with a limit.
    logSeverityLevel: 4,
    extra: {
      session: {
        intra_op: { allow_spinning: "1", spin_duration_us: SPIN_US },
        inter_op: { allow_spinning: "0" },
        force_spinning_stop: "1",
        x64quantprecision: "1",
        ...(isShared && { disable_prepacking: "1" }),
        ...(weightsFolder !== undefined && { model_external_initializers_file_folder_path: weightsFolder }),
      },
    },
  };
}

/** The same, with the graph written to a file as it was optimised, and its weights to one beside it. */
export function writingGraph(
  options: InferenceSession.SessionOptions,
  { graphFile, weightsName }: { readonly graphFile: string; readonly weightsName: string },
): InferenceSession.SessionOptions {
  const { session } = options.extra as { readonly session: Readonly<Record<string, string>> };
  return {
    ...options,
    optimizedModelFilePath: graphFile,
    extra: {
      session: {
        ...session,
        optimized_model_external_initializers_file_name: weightsName,
        optimized_model_external_initializers_min_size_in_bytes: String(LARGE_WEIGHT_BYTES),
      },
    },
  };
}
