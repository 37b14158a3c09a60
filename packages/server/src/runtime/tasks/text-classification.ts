import { countParameter, wordParameter } from "./parameters.ts";
import { bad } from "./read-request.ts";
import {
  argmax,
  floatsOf,
  type LabelScore,
  outputPlace,
  readConfig,
  readLabels,
  SCORE_FUNCTIONS,
  type ScoreFunction,
  scoreFunctionFor,
  scoresOf,
  topScores,
} from "./scores.ts";
import { isObject } from "./side-files.ts";
import type { TaskContext, TaskInput, TaskProcessor } from "./task-processor.ts";
import { createTextEncoder } from "./text/text-encoder.ts";

/** A text's best class, or with `top_k` as many as that. */
export async function makeTextClassification(context: TaskContext): Promise<TaskProcessor> {
  const encoder = await createTextEncoder(context);
  const place = outputPlace(context, ["logits"]);
  const labels = readLabels(readConfig(context.files), undefined);
  const byDefault: ScoreFunction = labels.problemType === "regression" ? "none" : scoreFunctionFor(labels);
  return {
    takes: "text",
    parameters: ["top_k", "function_to_apply"],
    prepare(input, parameters) {
      countParameter(parameters, "top_k");
      wordParameter(parameters, "function_to_apply", SCORE_FUNCTIONS);
      const { text, pair } = textAndPair(input);
      return { runs: [encoder.encode(text, pair).tensors] };
    },
    finish([outputs], { parameters }): LabelScore | LabelScore[] {
      const asked = wordParameter(parameters, "function_to_apply", SCORE_FUNCTIONS);
      const scores = scoresOf(floatsOf(outputs![place]!), asked ?? byDefault);
      const labelled = (id: number): LabelScore => ({
        label: labels.names[id] ?? `LABEL_${id}`,
        score: scores[id]!,
      });
      if (!("top_k" in parameters)) return labelled(argmax(scores));
      const count = countParameter(parameters, "top_k") ?? scores.length;
      return topScores(scores, count).map(labelled);
    },
    single: (result, { parameters, isText }) => ("top_k" in parameters || !isText ? result : [result]),
  };
}

function textAndPair(input: TaskInput): { readonly text: string; readonly pair: string | undefined } {
  if (input.kind === "text") return { text: input.text, pair: undefined };
  const value = input.kind === "value" ? input.value : undefined;
  if (isObject(value)) {
    const { text, text_pair: pair, ...others } = value;
    const isPair = pair === undefined || typeof pair === "string";
    if (typeof text === "string" && isPair && Object.keys(others).length === 0) return { text, pair };
  }
  throw bad("input", 'expected a text, or {"text": …, "text_pair": …}');
}
