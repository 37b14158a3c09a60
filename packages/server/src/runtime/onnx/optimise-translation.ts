import { closeSync, existsSync, fsyncSync, openSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { performance } from "node:perf_hooks";
import { openBelow } from "../../base/open-below.ts";
import type { Tensor } from "../../base/tensor.ts";
import type { HostedResult } from "../model-host.ts";
import type { LoadMessage } from "../model-messages.ts";
import type { LoadOptions } from "../runtime.ts";
import { createEngineSession, type EngineSession } from "./engine-session.ts";
import type { KeptTranslation } from "./kept-translation.ts";
import { LoadedFiles } from "./loaded-files.ts";
import { modelDigest } from "./model-digest.ts";
import { OnnxSession } from "./onnx-session.ts";
import { sessionOptions, writingGraph } from "./session-options.ts";
import type { TranslatedProgram } from "./translated-program.ts";
import { type FileTranslation, keptTranslationOf } from "./translation-cache.ts";
import { withUniqueInitializers } from "./unique-initializers.ts";
import { batchInputs, smallestInputs, withUnlikeRows } from "./warm-up-inputs.ts";

/** An optimised graph must open in this share of the time to be worth a copy of its weights. */
const WORTHWHILE_SHARE = 0.6;
const FEW_ROWS = 3;

interface Draft {
  readonly folder: string;
  readonly weightsName: string;
}

/**
 * Keeps the graph of a model as ONNX Runtime optimised it, so that later starts need not do it again: where that is much faster, and where every
 * trial run gives the same bits. In a process of its own, since it takes as much time and memory as a load.
 */
export async function optimiseTranslation(
  { spec }: Pick<LoadMessage, "spec">,
  worthwhileShare: number = WORTHWHILE_SHARE,
): Promise<void> {
  const { options, root } = spec;
  const files = new LoadedFiles();
  try {
    const file = openBelow(root, spec.file);
    const source = files.hold(file);
    const translation = keptTranslationOf(file.path, source.byteLength, options);
    const kept = translation?.find();
    if (translation === undefined || kept === undefined) return;
    if (kept.digest !== (await modelDigest(file.path, { ...options, root }))) return;
    const check = (): void => files.checkNames();
    await keepTried(translation, kept, { path: file.path, options, worthwhileShare, check });
  } finally {
    files.close();
  }
}

interface Work {
  readonly path: string;
  readonly options: LoadOptions;
  readonly worthwhileShare: number;
  /** Throws when the file has changed. */
  check(): void;
}

async function keepTried(translation: FileTranslation, kept: KeptTranslation, work: Work): Promise<void> {
  const draft = translation.optimisedDraft();
  if (draft === undefined) return;
  const { digest, program } = kept;
  translation.tryOptimised(kept);
  try {
    // What the engine wrote and does not read, or what cannot be written again, is of no use either.
    const graph = await optimised(program, draft, work).catch(() => undefined);
    work.check();
    const weights = join(draft.folder, draft.weightsName);
    if (graph === undefined) {
      translation.keepOptimised(kept, undefined);
      return;
    }
    flush(weights);
    translation.keepOptimised({ digest, program: { ...program, model: graph } }, weights);
  } finally {
    rmSync(draft.folder, { recursive: true, force: true });
  }
}

/** The graph, its weights in the draft's folder; undefined: it gains too little, or changes answers. */
async function optimised(
  program: TranslatedProgram,
  { folder, weightsName }: Draft,
  { path, options, worthwhileShare }: Work,
): Promise<Uint8Array | undefined> {
  const usual = sessionOptions(options, dirname(path));
  const graphFile = join(folder, "graph");
  const plain = await timed(() => createEngineSession(program.model, usual));
  await (await createEngineSession(program.model, writingGraph(usual, { graphFile, weightsName }))).release();
  if (!existsSync(join(folder, weightsName))) return undefined;
  const graph = withUniqueInitializers(readFileSync(graphFile));
  const ready = sessionOptions({ ...options, isOptimised: false }, folder);
  const fast = await timed(() => createEngineSession(graph, ready));
  if (fast.ms > worthwhileShare * plain.ms) return undefined;
  return (await giveTheSame([plain.session, fast.session], program)) ? graph : undefined;
}

async function timed(open: () => Promise<EngineSession>): Promise<{ session: EngineSession; ms: number }> {
  const startMs = performance.now();
  const session = await open();
  return { session, ms: performance.now() - startMs };
}

/** Whether two sessions of a program give the same bits for the inputs that came with it, and for made-up ones. */
async function giveTheSame(
  sessions: readonly EngineSession[],
  { signature, sampleInputs, shownOutputs }: TranslatedProgram,
): Promise<boolean> {
  const few = batchInputs(signature, FEW_ROWS);
  const trials = [sampleInputs, smallestInputs(signature), few, few && withUnlikeRows(few, signature)];
  const models = sessions.map((session) => {
    const outputNames = shownOutputs.map((place) => session.outputMetadata[place]!.name);
    return new OnnxSession(session, { signature, outputNames });
  });
  let runs = 0;
  for (const inputs of trials) {
    if (inputs === undefined) continue;
    const [expected, actual] = await Promise.all(models.map((model) => outcome(model, inputs)));
    if (expected !== actual) return false;
    if (expected !== undefined) runs++;
  }
  return runs > 0;
}

/** What a run gives, as text; undefined: it fails. */
async function outcome(model: OnnxSession, inputs: readonly Tensor[]): Promise<string | undefined> {
  let result: HostedResult;
  try {
    result = await model.run(inputs);
  } catch {
    return undefined;
  }
  const parts = result.outputs.map(({ datatype, shape, chunks }) => [
    datatype,
    shape,
    Buffer.concat(chunks).toString("base64"),
  ]);
  return JSON.stringify(parts);
}

/** Before an entry says what it is. */
function flush(file: string): void {
  const fd = openSync(file, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
