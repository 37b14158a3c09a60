import { createImageReader } from "./image/image-inputs.ts";
import { countParameter, wordParameter } from "./parameters.ts";
import {
  floatsOf,
  outputPlace,
  readConfig,
  readLabels,
  SCORE_FUNCTIONS,
  scoreFunctionFor,
  scoresOf,
  topScores,
} from "./scores.ts";
import type { TaskContext, TaskProcessor } from "./task-processor.ts";

const TOP = 5;

/** An image's classes with their scores, best first. */
export function makeImageClassification(context: TaskContext): TaskProcessor {
  const { read } = createImageReader(context);
  const place = outputPlace(context, ["logits"]);
  const labels = readLabels(readConfig(context.files), undefined);
  return {
    takes: "bytes",
    parameters: ["top_k", "function_to_apply"],
    async prepare(input, parameters) {
      countParameter(parameters, "top_k");
      wordParameter(parameters, "function_to_apply", SCORE_FUNCTIONS);
      return { runs: [(await read(input)).tensors] };
    },
    finish([outputs], { parameters }) {
      const asked = wordParameter(parameters, "function_to_apply", SCORE_FUNCTIONS);
      const scores = scoresOf(floatsOf(outputs![place]!), asked ?? scoreFunctionFor(labels));
      const best = topScores(scores, countParameter(parameters, "top_k") ?? TOP);
      return best.map((id) => ({ label: labels.names[id] ?? `LABEL_${id}`, score: scores[id]! }));
    },
  };
}
