import { realpathSync } from "node:fs";
import { dirname } from "node:path";
import { usableCores } from "../base/cgroup.ts";
import { systemClock } from "../base/clock.ts";
import type { ModelDescription } from "../base/model-description.ts";
import type { RunResult } from "../base/run.ts";
import type { Signature } from "../base/signature.ts";
import { createOnnxRuntime } from "../runtime/onnx/onnx-runtime.ts";
import { PLAIN_LOAD } from "../runtime/plain-load.ts";
import type { LoadedModel, LoadOptions, Runtime } from "../runtime/runtime.ts";
import { workerEnv } from "../worker/worker-env.ts";
import { createLogger } from "./logger.ts";
import type { StatedInputs } from "./stated-inputs.ts";
import type { Trial } from "./trial-inputs.ts";
import { undoneAtEnd } from "./undone-at-end.ts";

/** A model loaded as the server would load it, in a worker of its own. */
export interface TrialModel {
  readonly signature: Signature;
  readonly description: ModelDescription;
  /** Of its worker; undefined where the system does not say. */
  residentBytes(): Promise<number | undefined>;
  run(trial: Trial): Promise<RunResult>;
  close(): Promise<void>;
}

const OPTIONS: LoadOptions = {
  ...PLAIN_LOAD,
  threadsPerInstance: usableCores(),
  loadTimeoutMs: 600_000,
  executionTimeoutMs: 600_000,
};

/** Loads a file; `inputs` are those of a scripted program. */
export type LoadTrial = (file: string, inputs?: StatedInputs) => Promise<TrialModel>;

/** Runs `use` with a runtime that ends with it. */
export async function withTrialRuntime<T>(
  env: Readonly<Record<string, string | undefined>>,
  use: (load: LoadTrial) => Promise<T>,
): Promise<T> {
  const runtime = createOnnxRuntime({
    clock: systemClock,
    random: Math.random,
    logger: createLogger("error"),
    spares: 0,
    env: workerEnv(env),
  });
  const forget = undoneAtEnd(() => runtime.destroy("the command was ended"));
  try {
    return await use((file, inputs) => load(runtime, file, inputs));
  } finally {
    await runtime.close();
    forget();
  }
}

async function load(runtime: Runtime, file: string, inputs?: StatedInputs): Promise<TrialModel> {
  const real = realpathSync(file);
  const options = { ...OPTIONS, inputs: inputs?.texts };
  const spec = { name: "trial", version: "1", file: real, root: dirname(real), options };
  const loaded: LoadedModel = await runtime.load(spec, { signal: new AbortController().signal });
  return {
    signature: loaded.description.signature,
    description: loaded.description,
    residentBytes: () => loaded.instances[0]!.residentBytes(),
    run: ({ inputs }) =>
      loaded.instances[0]!.run({
        inputs: inputs.map(({ datatype, shape, bytes }) => ({ datatype, shape, chunks: [bytes] })),
      }),
    close: () => loaded.close(),
  };
}
