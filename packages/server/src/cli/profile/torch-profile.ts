import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ServeError } from "../../base/errors.ts";
import { fasterHalf, mean, type RunProfile } from "./profile-sample.ts";

/** What the Python worker writes (python/sconce_worker/profile.py): times in microseconds, by run. */
interface TorchSummary {
  readonly runs: readonly number[];
  readonly samples: readonly {
    readonly module: string;
    readonly type: string;
    readonly line: string;
    readonly op: string;
    readonly kernel: string;
    readonly us: readonly number[];
    readonly calls: number;
  }[];
}

/** What PyTorch spent its last runs on. Throws ServeError where the worker wrote nothing. */
export function torchProfile(folder: string): RunProfile {
  const file = join(folder, "torch.json");
  if (!existsSync(file)) {
    throw new ServeError(
      "failed_precondition",
      "the archive's own code runs the model, which cannot be profiled: name the model file inside it",
    );
  }
  const { runs, samples } = JSON.parse(readFileSync(file, "utf8")) as TorchSummary;
  const fast = fasterHalf([...runs.keys()], (run) => runs[run]!);
  return {
    runMs: mean(fast.map((run) => runs[run]!)) / 1000,
    samples: samples.map(({ module, type, line, op, kernel, us, calls }) => ({
      place: { module, op, ...(type !== "" && { type }), ...(line !== "" && { line }) },
      along: [],
      kernel,
      ms: mean(fast.map((run) => us[run]!)) / 1000,
      calls,
    })),
  };
}
