import type { DeclaredMetric } from "../config/torchserve/declared-metrics.ts";
import { createAutoRuntime } from "../runtime/auto-runtime.ts";
import { createOnnxRuntime } from "../runtime/onnx/onnx-runtime.ts";
import { createPythonRuntime } from "../runtime/python/python-runtime.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { createTaskRuntime } from "../runtime/tasks/task-runtime.ts";
import { pythonWorkerEnv } from "../worker/worker-env.ts";

export type RuntimeOptions = Parameters<typeof createOnnxRuntime>[0] & {
  /** What the operator's metrics.yaml declares for handlers. Default: nothing. */
  readonly declaredMetrics?: readonly DeclaredMetric[];
};

/** ONNX Runtime where a program can be translated, else PyTorch. */
export function createBothRuntimes(options: RuntimeOptions): Runtime {
  const searchPath = process.env["PATH"] ?? "";
  const { declaredMetrics = [] } = options;
  const env = {
    ...pythonWorkerEnv(process.env),
    ...(declaredMetrics.length > 0 && { SCONCE_HANDLER_METRICS: JSON.stringify(declaredMetrics) }),
  };
  return createAutoRuntime({
    onnx: createOnnxRuntime(options),
    python: createPythonRuntime({ ...options, env, searchPath }),
    tasks: createTaskRuntime(options),
  });
}
