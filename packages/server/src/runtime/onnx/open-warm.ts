import type { ByteSource } from "@sconce/torch";
import { detectFile, type FileFormat, formatAdvice, isProgram, isWeights } from "@sconce/torch/formats";
import { ServeError } from "../../base/errors.ts";
import type { KeptTranslation } from "./kept-translation.ts";
import { modelFileError } from "./model-error.ts";
import { openTranslated } from "./open-translated.ts";
import type { OpenContext, OpenedModel } from "./opened-model.ts";
import { withRowsKeptApart } from "./rows-kept-apart.ts";
import type { FileTranslation } from "./translation-cache.ts";
import { type WarmUp, warmUp } from "./warm-up.ts";

interface FileToOpen {
  readonly path: string;
  readonly source: ByteSource;
  readonly context: OpenContext;
  readonly translation: FileTranslation | undefined;
  /** What the file holds. */
  readonly digest: Promise<string>;
}

export interface WarmModel {
  readonly opened: OpenedModel;
  readonly warmup: WarmUp;
}

/**
 * Opens a file and warms it up: by the translation that was kept of it, if that is of the content which the file has now. The digest is made
 * meanwhile, and nobody gets a result before it is known.
 */
export async function openWarm({
  path,
  source,
  context,
  translation,
  digest,
}: FileToOpen): Promise<WarmModel> {
  const warmed = async (opening: Promise<OpenedModel>): Promise<WarmModel> => {
    const found = await opening.catch((error: unknown) => {
      throw modelFileError(error);
    });
    const opened = context.options.mayMixRows === true ? found : withRowsKeptApart(found);
    context.progress("warmup");
    return { opened, warmup: await warmUp(opened, context.options) };
  };
  for (const find of translation === undefined ? [] : findersOf(translation, context)) {
    const kept = find();
    if (kept === undefined) continue;
    // Whatever is wrong with it, the file itself has the last word.
    const model = await warmed(openTranslated(path, kept.program, context)).catch(() => undefined);
    if (model !== undefined && kept.digest === (await digest)) return model;
    await model?.warmup.session.release();
  }
  return warmed(openFile(path, source, context));
}

/** What may have been kept, the best first. */
function findersOf(
  translation: FileTranslation,
  { holdOwn }: OpenContext,
): readonly (() => KeptTranslation | undefined)[] {
  return [
    () => {
      const found = translation.findOptimised();
      if (found.kind !== "kept") return undefined;
      holdOwn(found.weights);
      return found.kept;
    },
    () => translation.find(),
  ];
}

async function openFile(path: string, source: ByteSource, context: OpenContext): Promise<OpenedModel> {
  const open = await openerOf(detectFile(source));
  return open(path, source, context);
}

type Opener = (path: string, source: ByteSource, context: OpenContext) => Promise<OpenedModel>;

/** What translates and rewrites is loaded when a file needs it. */
async function openerOf(format: FileFormat): Promise<Opener> {
  if (format === "onnx") return (await import("./open-onnx.ts")).openOnnx;
  // Opened all the same, a zip says itself what is wrong with it.
  if (isProgram(format) || format === "damaged-zip" || format === "large-zip")
    return (await import("./open-archive.ts")).openArchive;
  throw new ServeError("failed_precondition", formatAdvice(format), {
    reason: isWeights(format) ? "weights_only" : "unknown_format",
  });
}
