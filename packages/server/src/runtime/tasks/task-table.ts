import { unfit } from "./side-files.ts";
import type { MakeTask, TaskContext, TaskProcessor } from "./task-processor.ts";

/** What makes each task, by its name in model.yaml. The code of one is loaded when a model wants it. */
const TASKS: Readonly<Record<string, () => Promise<MakeTask>>> = {
  "image-classification": async () => (await import("./image-classification.ts")).makeImageClassification,
  "feature-extraction": async () => (await import("./feature-extraction.ts")).makeFeatureExtraction,
  "fill-mask": async () => (await import("./fill-mask.ts")).makeFillMask,
  "image-feature-extraction": async () =>
    (await import("./feature-extraction.ts")).makeImageFeatureExtraction,
  handler: async () => (await import("./handler/handler-task.ts")).makeHandlerTask,
  "image-segmentation": async () => (await import("./image-segmentation.ts")).makeImageSegmentation,
  "object-detection": async () => (await import("./object-detection.ts")).makeObjectDetection,
  "audio-classification": async () => (await import("./audio-classification.ts")).makeAudioClassification,
  "token-classification": async () => (await import("./token-classification.ts")).makeTokenClassification,
  "zero-shot-classification": async () =>
    (await import("./zero-shot-classification.ts")).makeZeroShotClassification,
  "text-classification": async () => (await import("./text-classification.ts")).makeTextClassification,
};

/** Throws `failed_precondition` when files or signature do not fit the task. */
export async function makeTask(name: string, context: TaskContext): Promise<TaskProcessor> {
  const find = Object.hasOwn(TASKS, name) ? TASKS[name] : undefined;
  if (find === undefined) throw unfit(`${name} is not known`);
  return (await find())(context);
}
