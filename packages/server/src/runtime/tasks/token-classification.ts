import { wordParameter } from "./parameters.ts";
import { bad } from "./read-request.ts";
import { floatsOf, type ModelLabels, outputPlace, readConfig, readLabels, scoresOf } from "./scores.ts";
import type { TaskContext, TaskParameters, TaskProcessor } from "./task-processor.ts";
import { AGGREGATIONS, type Aggregation, aggregate, type TokenScores } from "./text/aggregate-tokens.ts";
import { joinTokens } from "./text/join-tokens.ts";
import type { OpenTokenizer } from "./text/open-tokenizer.ts";
import { createTextEncoder } from "./text/text-encoder.ts";
import { type Offset, tokenOffsets } from "./text/token-offsets.ts";

const IGNORED = ["O"];

interface State {
  readonly text: string;
  readonly tokens: readonly string[];
  readonly offsets: readonly Offset[];
  /** The place of the first token among the model's. */
  readonly start: number;
}

/** The class of each token of a text, or of each group of them. */
export async function makeTokenClassification(context: TaskContext): Promise<TaskProcessor> {
  const encoder = await createTextEncoder(context);
  const { open } = encoder;
  const place = outputPlace(context, ["logits"]);
  const labels = readLabels(readConfig(context.files), undefined);
  const join = (tokens: readonly string[]): string => joinTokens(tokens, open);
  return {
    takes: "text",
    parameters: ["aggregation_strategy", "ignore_labels"],
    prepare(input, parameters) {
      if (input.kind !== "text") throw bad("input", "expected a text");
      aggregationOf(parameters);
      ignoredOf(parameters);
      const { text } = input;
      const { tokens, start, tensors } = encoder.encode(text);
      const state: State = { text, tokens, offsets: tokenOffsets(text, tokens, open), start };
      return { runs: [tensors], state };
    },
    finish([outputs], { state, parameters }) {
      const logits = outputs![place]!;
      const classes = logits.shape.at(-1)!;
      const scored = scoredTokens(state as State, { values: floatsOf(logits), classes, open, labels });
      const ignored = ignoredOf(parameters);
      return aggregate(scored, { strategy: aggregationOf(parameters), labels: labels.names, join }).filter(
        (entity) => !ignored.includes("entity" in entity ? entity.entity : entity.entity_group),
      );
    },
  };
}

interface Scoring {
  readonly values: Float32Array;
  readonly classes: number;
  readonly open: OpenTokenizer;
  readonly labels: ModelLabels;
}

function scoredTokens(
  { text, tokens, offsets, start }: State,
  { values, classes, open }: Scoring,
): TokenScores[] {
  const chars = [...text];
  const unknown = open.tokenizer.model?.unk_token_id;
  return tokens.map((token, i) => {
    const [from, to] = offsets[i]!;
    const row = (start + i) * classes;
    const isUnknown = unknown !== undefined && open.idOf(token) === unknown;
    const isSubword =
      open.kind === "wordpiece"
        ? [...token].length !== to - from
        : from > 0 && !chars.slice(from - 1, from + 1).includes(" ");
    return {
      word: isUnknown ? chars.slice(from, to).join("") : token,
      scores: scoresOf(values.subarray(row, row + classes), "softmax"),
      index: start + i,
      start: from,
      end: to,
      isSubword: isSubword && !isUnknown,
    };
  });
}

function aggregationOf(parameters: TaskParameters): Aggregation {
  return wordParameter(parameters, "aggregation_strategy", AGGREGATIONS) ?? "none";
}

function ignoredOf(parameters: TaskParameters): readonly string[] {
  const given = parameters["ignore_labels"] ?? IGNORED;
  if (Array.isArray(given) && given.every((label) => typeof label === "string")) return given;
  throw bad("parameters.ignore_labels", "expected a list of texts");
}
