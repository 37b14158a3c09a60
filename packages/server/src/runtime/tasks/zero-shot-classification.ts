import { bad } from "./read-request.ts";
import { floatsOf, outputPlace, readConfig, readLabels } from "./scores.ts";
import { isObject } from "./side-files.ts";
import type { TaskContext, TaskParameters, TaskProcessor } from "./task-processor.ts";
import { createTextEncoder } from "./text/text-encoder.ts";

const TEMPLATE = "This example is {}.";
const MAX_LABELS = 256;
const MAX_LABEL_CHARS = 1000;

interface State {
  readonly sequence: string;
  readonly labels: readonly string[];
}

/** How well each of the labels that the request names fits a text, by a model that knows what follows from what. */
export async function makeZeroShotClassification(context: TaskContext): Promise<TaskProcessor> {
  const encoder = await createTextEncoder(context);
  const place = outputPlace(context, ["logits"]);
  const { entailment, contradiction } = readEntailment(readConfig(context.files));
  return {
    takes: "text",
    parameters: ["candidate_labels", "hypothesis_template", "multi_label"],
    prepare(input, parameters) {
      if (input.kind !== "text") throw bad("input", "expected a text");
      const labels = labelsOf(parameters);
      const template = templateOf(parameters);
      const runs = labels.map(
        (label) =>
          encoder.encode(
            input.text,
            template.replace("{}", () => label),
            { cuts: "first" },
          ).tensors,
      );
      return { runs, state: { sequence: input.text, labels } satisfies State };
    },
    finish(runs, { state, parameters }) {
      const { sequence, labels } = state as State;
      const logits = runs.map((outputs) => floatsOf(outputs[place]!));
      const isMulti = parameters["multi_label"] === true || labels.length === 1;
      const at = (row: Float32Array, id: number): number => row.at(id) ?? Number.NaN;
      const scores = isMulti
        ? logits.map((row) => share(at(row, entailment), [at(row, contradiction), at(row, entailment)]))
        : logits.map((row) =>
            share(
              at(row, entailment),
              logits.map((other) => at(other, entailment)),
            ),
          );
      const order = Array.from(labels.keys()).sort((a, b) => scores[b]! - scores[a]! || b - a);
      return {
        sequence,
        labels: order.map((i) => labels[i]!),
        scores: order.map((i) => Math.fround(scores[i]!)),
      };
    },
  };
}

/** The softmax of one value among several. */
function share(value: number, all: readonly number[]): number {
  const most = Math.max(...all);
  let total = 0;
  for (const other of all) total += Math.exp(other - most);
  return Math.exp(value - most) / total;
}

function labelsOf(parameters: TaskParameters): readonly string[] {
  const given = parameters["candidate_labels"];
  const labels = typeof given === "string" ? given.split(",").map((label) => label.trim()) : given;
  const field = "parameters.candidate_labels";
  if (!Array.isArray(labels)) throw bad(field, 'expected a list of texts, or "one, another"');
  const named = labels.filter((label) => label !== "");
  if (named.length === 0 || named.length > MAX_LABELS) throw bad(field, `expected 1 to ${MAX_LABELS} labels`);
  for (const label of named) {
    if (typeof label !== "string" || label.length > MAX_LABEL_CHARS)
      throw bad(field, `a label is no text of at most ${MAX_LABEL_CHARS} characters`);
  }
  return named;
}

function templateOf(parameters: TaskParameters): string {
  const template = parameters["hypothesis_template"] ?? TEMPLATE;
  if (typeof template === "string" && template.length <= MAX_LABEL_CHARS && template.includes("{}"))
    return template;
  throw bad("parameters.hypothesis_template", "expected a text with {} where the label goes");
}

/** The places of what follows and of what does not, as transformers finds them in config.json. */
function readEntailment(config: Readonly<Record<string, unknown>>): {
  readonly entailment: number;
  readonly contradiction: number;
} {
  const { label2id } = config;
  const named = isObject(label2id) ? Object.entries(label2id) : [];
  const found = named.find(([label]) => label.toLowerCase().startsWith("entail"))?.[1];
  const byName = readLabels(config, undefined).names.findIndex((name) => /^entail/i.test(name));
  const entailment = typeof found === "number" ? found : byName;
  return { entailment, contradiction: entailment === 0 ? -1 : 0 };
}
