import { decodeModel, encodeModel, inlineSmallWeights } from "@sconce/torch";
import { InferenceSession, type Tensor as OrtTensor } from "onnxruntime-node";
import { difference } from "./compare.ts";
import { dressedModels } from "./dressed-model.ts";
import type { FixtureTensor } from "./fixture-pack.ts";
import { memorySource } from "./memory-source.ts";

/** A translated program, and one run of it. */
export interface OptimisedRun {
  readonly model: Uint8Array;
  readonly program: Uint8Array;
  /** Inputs as the session takes them, in order. */
  feeds(shapes: (shape: readonly number[]) => readonly number[]): readonly OrtTensor[];
  /** What PyTorch answers: how exactly outputs are to be compared. */
  readonly outputs: readonly FixtureTensor[];
}

/**
 * How ONNX Runtime's answers differ when it may rewrite the graph; undefined where they do not. The model is run as it is and dressed: the
 * optimiser moves and merges what stands beside each other.
 */
export async function optimiserDifference(run: OptimisedRun): Promise<string | undefined> {
  const written = memorySource("model.onnx", run.model);
  const files = new Map([
    ["model.onnx", run.model],
    ["model.pt2", run.program],
  ]);
  const bare = inlineSmallWeights(decodeModel(written), ({ location, offset, byteLength }) =>
    memorySource(location, files.get(location)!).read(offset, byteLength),
  );
  for (const { dress, model, inputShape, without } of dressedModels(bare)) {
    const bytes = encodeModel(model);
    const feeds = run.feeds(inputShape);
    const plain = await outcome(bytes, files, { feeds, level: "disabled" });
    // What cannot be run unchanged says nothing about changes.
    if (typeof plain === "string") continue;
    const changed = await outcome(bytes, files, { feeds, level: "all", without });
    if (typeof changed === "string") return `${dress}, the optimised graph fails: ${changed}`;
    for (const [i, want] of plain.entries()) {
      const asked = run.outputs[i]!;
      const found = difference(changed[i]!, { ...asked, ...fixtureOf(want, asked) }, { isScaled: true });
      if (found !== undefined)
        return `${dress}, the optimised graph answers otherwise: output ${i}: ${found}`;
    }
  }
  return undefined;
}

interface Asked {
  readonly feeds: readonly OrtTensor[];
  readonly level: "disabled" | "all";
  readonly without?: string | undefined;
}

/** The outputs, or what ONNX Runtime throws. */
async function outcome(
  model: Uint8Array,
  files: ReadonlyMap<string, Uint8Array>,
  { feeds, level, without }: Asked,
): Promise<readonly OrtTensor[] | string> {
  let session: InferenceSession | undefined;
  try {
    session = await InferenceSession.create(model, {
      logSeverityLevel: 4,
      intraOpNumThreads: 1,
      graphOptimizationLevel: level,
      ...(without !== undefined && {
        extra: { optimization: { disable_specified_optimizers: without } },
      }),
      externalData: [...files].filter(([, data]) => data.length > 0).map(([path, data]) => ({ path, data })),
    });
    const { outputNames } = session;
    const given = session.inputNames.map((name, i) => [name, feeds[i]!] as const);
    const results = await session.run(Object.fromEntries(given));
    return outputNames.map((name) => results[name] as OrtTensor);
  } catch (error) {
    return error instanceof Error ? error.message.split("\n")[0]! : String(error);
  } finally {
    await session?.release();
  }
}

/** An answer as something to compare with: of the type in which it came, with what PyTorch leaves open left open. */
function fixtureOf({ data, dims, type }: OrtTensor, { dtype }: FixtureTensor): Partial<FixtureTensor> {
  const { buffer, byteOffset, byteLength } = data as Uint8Array;
  const bytes = new Uint8Array(buffer, byteOffset, byteLength).slice();
  return { dtype: type as typeof dtype, shape: [...dims], bytes };
}
