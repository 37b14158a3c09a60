import { statSync } from "node:fs";
import { join } from "node:path";
import { ModelFileError, quantizeModel } from "@sconce/torch";
import { ServeError } from "../../base/errors.ts";
import type { LoadSpec } from "../../runtime/runtime.ts";
import { pythonWorkerEnv } from "../../worker/worker-env.ts";
import type { Terminal } from "../command.ts";
import { openModel } from "../open-model.ts";
import { withTemporaryFolder } from "../temporary-folder.ts";
import { type LoadTrial, withTrialRuntime } from "../trial-runtime.ts";
import { writeOnnx } from "../write-onnx.ts";
import { type ExportReport, type ExportTrial, runExport } from "./run-export.ts";
import { type TranslatedRuns, translatedRuns } from "./translated-trials.ts";

/** The same model with 8-bit weights and activations, or why there is none. */
export type Int8Done =
  | { readonly output: string; readonly bytes: number; readonly runs: TranslatedRuns }
  | { readonly why: string };

/** An export, and whether its result translates. */
export interface ExportDone {
  readonly output: string;
  readonly bytes: number;
  readonly report: ExportReport;
  /** Why it does not run without Python; undefined: it does. */
  readonly blocked: string | undefined;
  /** How it answers without Python; undefined: it does not. */
  readonly translated: TranslatedRuns | undefined;
  readonly int8: Int8Done | undefined;
}

/** What to export, with which Python, and where to. */
export interface ExportRequest {
  readonly spec: LoadSpec;
  readonly python: string;
  readonly output: string;
  /** Where the file is to be called so; undefined: there is to be none with fewer bits. */
  readonly int8Output: string | undefined;
}

/** Exports into `output` and runs what came of it without Python. Throws what PyTorch says against it. */
export async function exportModel(
  { spec, python, output, int8Output }: ExportRequest,
  terminal: Terminal,
): Promise<Omit<ExportDone, "output">> {
  return withTemporaryFolder("export", async (folder) => {
    const trials = join(folder, "trials.bin");
    const made = await runExport(python, spec, { output, trials }, pythonWorkerEnv(terminal.env));
    terminal.progress?.("running it without Python");
    return await withTrialRuntime(terminal.env, async (load) => {
      const translated = await translatedOf(output, { load, trials: made.compared, file: trials });
      const isServed = typeof translated !== "string";
      const asInt8 = { output, int8Output, load, trials: made.compared, file: trials };
      return {
        bytes: statSync(output).size,
        report: { ...made, compared: made.compared.map(withoutPlaces) },
        blocked: isServed ? undefined : translated,
        translated: isServed ? translated : undefined,
        int8: isServed && int8Output !== undefined ? await int8Of({ ...asInt8, int8Output }) : undefined,
      };
    });
  });
}

interface Trials {
  readonly load: LoadTrial;
  readonly trials: readonly ExportTrial[];
  readonly file: string;
}

/** What it answers; why it does not run without Python. */
async function translatedOf(
  output: string,
  { load, trials, file }: Trials,
): Promise<TranslatedRuns | string> {
  try {
    // It lists all that stands against it, where a worker names what it met.
    openModel(output).close();
    return await translatedRuns(await load(output), trials, file);
  } catch (error) {
    if (error instanceof ServeError) return error.message;
    throw error;
  }
}

async function int8Of({
  output,
  int8Output,
  load,
  trials,
  file,
}: Trials & { readonly output: string; readonly int8Output: string }): Promise<Int8Done> {
  const model = openModel(output);
  try {
    const { model: small } = quantizeModel(model.model, { precision: "int8", read: model.read });
    const { byteLength } = writeOnnx(int8Output, small, model);
    return {
      output: int8Output,
      bytes: byteLength,
      runs: await translatedRuns(await load(int8Output), trials, file),
    };
  } catch (error) {
    if (error instanceof ModelFileError) return { why: error.message };
    throw error;
  } finally {
    model.close();
  }
}

function withoutPlaces({ inputs, outputs, ...trial }: ExportTrial): ExportTrial {
  return trial;
}
