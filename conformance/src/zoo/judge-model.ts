import { type ScriptInput, translate } from "@sconce/torch";
import { nodePlatform, openFileSource } from "@sconce/torch/node";
import { InferenceSession, type Tensor } from "onnxruntime-node";
import { compareOutput } from "./compare-output.ts";
import { feedOf, type StoredTensor, type ZooCase } from "./zoo-case.ts";

export type Verdict =
  | {
      readonly kind: "pass";
      readonly relativeError: number;
      readonly translateMs: number;
      readonly sizes: readonly string[];
    }
  /** Ops that are not translated, each with its reason. */
  | { readonly kind: "refused"; readonly reasons: readonly string[] }
  | { readonly kind: "wrong" | "error"; readonly reason: string }
  /** PyTorch itself could not write the file. */
  | { readonly kind: "absent"; readonly reason: string };

interface Work {
  readonly file: string;
  readonly cases: readonly ZooCase[];
  readonly blob: Uint8Array;
  /** The inputs of a program that does not say them. */
  readonly inputs?: ReadonlyMap<string, ScriptInput>;
}

/**
 * Translates a program file, runs all cases, and compares. A traced program may keep sizes that tracing baked in: cases of other sizes
 * than its ports say are then left out, and `sizes` lists those that ran.
 */
export async function judgeModel(work: Work): Promise<Verdict> {
  const source = openFileSource(work.file);
  const startedMs = performance.now();
  let translation: ReturnType<typeof translate>;
  try {
    translation = translate(source, nodePlatform, {
      weights: "embedded",
      ...(work.inputs !== undefined && { inputs: work.inputs }),
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return error instanceof Error && error.name === "ModelFileError"
      ? { kind: "refused", reasons: [reason] }
      : { kind: "error", reason };
  } finally {
    source.close();
  }
  const translateMs = performance.now() - startedMs;
  const { unsupported } = translation.report;
  if (unsupported.length > 0) {
    return {
      kind: "refused",
      reasons: unsupported.map(({ op, count, reason }) => `${op} × ${count}: ${reason}`),
    };
  }
  try {
    const session = await InferenceSession.create(translation.model, {
      intraOpNumThreads: 1,
      logSeverityLevel: 4,
    });
    const sizes: string[] = [];
    let relativeError = 0;
    for (const one of work.cases) {
      const inputs = Object.values(one.inputs);
      if (!inputs.every((input, i) => fits(input, translation.inputs[i]!.dims))) continue;
      const result = await runCase(one, { session, translation, blob: work.blob });
      if (typeof result === "string") return { kind: "wrong", reason: `${one.label}: ${result}` };
      relativeError = Math.max(relativeError, result);
      sizes.push(one.label);
    }
    if (sizes.length === 0) return { kind: "error", reason: "no case fits the ports" };
    return { kind: "pass", relativeError, translateMs, sizes };
  } catch (error) {
    return { kind: "error", reason: String(error).slice(0, 300) };
  }
}

type Dims = ReturnType<typeof translate>["inputs"][number]["dims"];

function fits(input: StoredTensor, dims: Dims): boolean {
  return dims.every((dim, axis) => typeof dim !== "number" || dim === input.shape[axis]);
}

interface Run {
  readonly session: InferenceSession;
  readonly translation: ReturnType<typeof translate>;
  readonly blob: Uint8Array;
}

/** The largest relative error, or what is wrong. */
async function runCase(one: ZooCase, { session, translation, blob }: Run): Promise<number | string> {
  const feeds: Record<string, Tensor> = {};
  const values = Object.entries(one.inputs);
  for (const [i, port] of translation.inputs.entries()) {
    const stored = one.inputs[port.name] ?? values[i]![1];
    feeds[port.name] = feedOf(stored, blob);
  }
  const outputs = await session.run(feeds);
  if (translation.outputs.length !== one.outputs.length) {
    return `${translation.outputs.length} outputs instead of ${one.outputs.length}`;
  }
  let worst = 0;
  for (const [i, port] of translation.outputs.entries()) {
    const { relativeError, problem } = compareOutput(outputs[port.name]!, one.outputs[i]!, blob);
    if (problem !== undefined) return `output ${port.name}: ${problem}`;
    worst = Math.max(worst, relativeError);
  }
  return worst;
}
