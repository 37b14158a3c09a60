import { execFile } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { InferenceSession } from "onnxruntime-node";
import type { BodyTensor } from "../infer-body.ts";
import { BENCH_MODELS, pythonWithModels, SCRIPTS } from "../python-with-models.ts";
import { SCONCE } from "../sconce-command.ts";
import { PEERS } from "./environment.ts";
import type { ModelFiles, Workload } from "./workload.ts";

const run = promisify(execFile);

/** A workload's model in every form, made once: exported by PyTorch, translated by Sconce, traced from the export. */
export async function modelFiles({ model, inputs, outputIndex }: Workload): Promise<ModelFiles> {
  mkdirSync(BENCH_MODELS, { recursive: true });
  const [program, onnx, torchScript] = ["pt2", "onnx", `${outputIndex}.pt`].map((ending) =>
    join(BENCH_MODELS, `${model}.${ending}`),
  ) as [string, string, string];
  if (!existsSync(program)) {
    await run(await pythonWithModels(), [join(SCRIPTS, "python/bench_models.py"), BENCH_MODELS, "0", model]);
  }
  if (!existsSync(onnx)) await run(process.execPath, [...SCONCE, "convert", program, "-o", onnx]);
  if (!existsSync(torchScript)) {
    const script = join(PEERS, "trace_program.py");
    const examples = inputs.map(exampleOf);
    await run(await pythonWithModels(), [script, program, torchScript, String(outputIndex), ...examples]);
  }
  const session = await InferenceSession.create(onnx);
  const outputName = session.outputNames[outputIndex]!;
  await session.release();
  return { program, onnx, torchScript, outputName };
}

/** Two rows: a trace at one row may keep the one. */
function exampleOf({ name, datatype, shape }: BodyTensor): string {
  return `${name}:${datatype === "INT64" ? "int64" : "float32"}:${[2, ...shape.slice(1)].join(",")}`;
}
