import { countParameter } from "./parameters.ts";
import { bad } from "./read-request.ts";
import { floatsOf, outputPlace, scoresOf, topScores } from "./scores.ts";
import { unfit } from "./side-files.ts";
import type { TaskContext, TaskParameters, TaskProcessor } from "./task-processor.ts";
import { type OpenTokenizer, tokenOf } from "./text/open-tokenizer.ts";
import { createTextEncoder } from "./text/text-encoder.ts";

const TOP = 5;
const MAX_TARGETS = 1000;
const MAX_MASKS = 64;

interface State {
  readonly ids: readonly number[];
  /** The places of masks. */
  readonly masks: readonly number[];
  readonly targets: readonly number[] | undefined;
}

/** The likeliest words in place of each mask of a text. */
export async function makeFillMask(context: TaskContext): Promise<TaskProcessor> {
  const { open, encode } = await createTextEncoder(context);
  const place = outputPlace(context, ["logits"]);
  const mask = tokenOf(open.config["mask_token"]);
  if (mask === undefined) throw unfit("tokenizer_config.json names no mask_token");
  const maskId = open.idOf(mask);
  const fill = (ids: readonly number[], at: number, id: number): number[] =>
    ids.map((old, i) => (i === at ? id : old)).filter((one) => one !== open.padId);
  return {
    takes: "text",
    parameters: ["top_k", "targets"],
    prepare(input, parameters) {
      if (input.kind !== "text") throw bad("input", "expected a text");
      countParameter(parameters, "top_k");
      const { ids, tensors } = encode(input.text);
      const masks = [...ids.keys()].filter((i) => ids[i] === maskId);
      if (masks.length === 0) throw bad("input", `expected a text with ${mask} in it`);
      if (masks.length > MAX_MASKS) throw bad("input", `at most ${MAX_MASKS} masks are filled at once`);
      const state: State = { ids, masks, targets: targetsOf(parameters, open) };
      return { runs: [tensors], state };
    },
    finish([outputs], { state, parameters }) {
      const { ids, masks, targets } = state as State;
      const logits = outputs![place]!;
      const words = logits.shape.at(-1)!;
      const values = floatsOf(logits);
      const top = countParameter(parameters, "top_k") ?? TOP;
      const isSingle = masks.length === 1;
      const rows = masks.map((at) => {
        const scores = scoresOf(values.subarray(at * words, (at + 1) * words), "softmax");
        return bestOf(scores, top, targets).map((token) => ({
          score: scores[token]!,
          token,
          token_str: decode(open, [token], false),
          sequence: decode(open, fill(ids, at, token), isSingle),
        }));
      });
      return isSingle ? rows[0] : rows;
    },
  };
}

function bestOf(
  scores: Float32Array,
  count: number,
  targets: readonly number[] | undefined,
): readonly number[] {
  if (targets === undefined) return topScores(scores, count);
  const among = Float32Array.from(targets, (id) => scores[id] ?? Number.NaN);
  return topScores(among, count).map((i) => targets[i]!);
}

function decode({ tokenizer, config }: OpenTokenizer, ids: readonly number[], skips: boolean): string {
  return tokenizer.decode(ids, {
    skip_special_tokens: skips,
    clean_up_tokenization_spaces: config["clean_up_tokenization_spaces"] === true,
  });
}

/** The ids of words that a request names: those of the vocabulary, or else the first piece of each. */
function targetsOf(
  parameters: TaskParameters,
  { tokenizer, idOf }: OpenTokenizer,
): readonly number[] | undefined {
  const given = parameters["targets"];
  if (given === undefined || given === null) return undefined;
  const words: unknown = typeof given === "string" ? [given] : given;
  const field = "parameters.targets";
  if (!Array.isArray(words) || words.length === 0 || words.length > MAX_TARGETS)
    throw bad(field, `expected a text, or a list of 1 to ${MAX_TARGETS} texts`);
  const ids = new Set<number>();
  for (const word of words) {
    if (typeof word !== "string" || word.length > MAX_TARGETS)
      throw bad(field, "one of them is no short text");
    const whole = tokenizer.model?.tokens_to_ids.get(word);
    const [piece] = whole === undefined ? tokenizer.tokenize(word, { add_special_tokens: false }) : [];
    const id = whole ?? (piece === undefined ? undefined : idOf(piece));
    if (id !== undefined) ids.add(id);
  }
  if (ids.size === 0) throw bad(field, "the vocabulary has nothing for any of them");
  return [...ids];
}
