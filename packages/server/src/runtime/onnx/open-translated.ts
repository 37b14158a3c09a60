import { basename, dirname } from "node:path";
import { performance } from "node:perf_hooks";
import type { LoadOptions } from "../runtime.ts";
import { sessionError } from "./model-error.ts";
import { openSession } from "./open-session.ts";
import type { OpenContext, OpenedModel } from "./opened-model.ts";
import type { TranslatedProgram } from "./translated-program.ts";

/** Opens a translated program with ONNX Runtime, which maps large weights out of the very file by offset. Rejects with `failed_precondition`. */
export async function openTranslated(
  path: string,
  { model, shownOutputs, optimisedIn, holdsWeights, ...program }: TranslatedProgram,
  { options, progress }: OpenContext,
): Promise<OpenedModel> {
  progress("session");
  const startMs = performance.now();
  const open = (wanted: LoadOptions) =>
    optimisedIn === undefined
      ? openSession(model, wanted, dirname(path))
      : openSession(model, { ...wanted, isOptimised: false }, optimisedIn);
  const session = await open(options).catch((error: unknown) => {
    throw sessionError(error);
  });
  return {
    ...program,
    session,
    reopen: (threads) => open({ ...options, threadsPerInstance: threads }),
    outputNames: shownOutputs.map((place) => session.outputMetadata[place]!.name),
    runtimeReason: reasonOf(options),
    isCopied: holdsWeights && optimisedIn === undefined,
    loadMs: { session: performance.now() - startMs },
  };
}

function reasonOf({ precision, weightsFile }: LoadOptions): string {
  const weights = weightsFile === undefined ? "" : `, with the weights of ${basename(weightsFile)}`;
  const stored = precision === "float32" ? "" : `, in precision ${precision}`;
  return `every operation of the program was translated to ONNX${weights}${stored}`;
}
