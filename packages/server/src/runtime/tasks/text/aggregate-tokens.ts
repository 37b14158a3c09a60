import { argmax } from "../scores.ts";

/** A token of a text with the scores of its classes. */
export interface TokenScores {
  readonly word: string;
  readonly scores: Float32Array;
  /** Its place among the model's tokens. */
  readonly index: number;
  readonly start: number;
  readonly end: number;
  /** It goes on with the word that the token before it belongs to. */
  readonly isSubword: boolean;
}

/** How tokens become entities; the words are transformers'. */
export type Aggregation = "none" | "simple" | "first" | "average" | "max";
export const AGGREGATIONS: readonly Aggregation[] = ["none", "simple", "first", "average", "max"];

interface Place {
  readonly score: number;
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

export interface TokenEntity extends Place {
  readonly entity: string;
  /** Only where every token stands for itself. */
  readonly index?: number;
}

export interface EntityGroup extends Place {
  readonly entity_group: string;
}

interface Aggregating {
  readonly strategy: Aggregation;
  /** By class. */
  readonly labels: readonly string[];
  join(tokens: readonly string[]): string;
}

/** Entities of a text, as transformers' pipeline makes them. */
export function aggregate(
  tokens: readonly TokenScores[],
  options: Aggregating,
): readonly (TokenEntity | EntityGroup)[] {
  const { strategy } = options;
  if (strategy === "none") return tokens.map((token) => tokenEntity(token, options));
  const entities =
    strategy === "simple"
      ? tokens.map((token) => tokenEntity(token, options))
      : wordEntities(tokens, options);
  return groupEntities(entities, options);
}

function tokenEntity(token: TokenScores, { labels }: Aggregating): TokenEntity {
  const { scores, index, word, start, end } = token;
  const best = argmax(scores);
  return { entity: labels[best] ?? `LABEL_${best}`, score: scores[best]!, index, word, start, end };
}

function wordEntities(tokens: readonly TokenScores[], options: Aggregating): TokenEntity[] {
  const words: TokenScores[][] = [];
  for (const token of tokens) {
    const last = words.at(-1);
    if (last !== undefined && token.isSubword) last.push(token);
    else words.push([token]);
  }
  return words.map((word) => wordEntity(word, options));
}

function wordEntity(word: readonly TokenScores[], { strategy, labels, join }: Aggregating): TokenEntity {
  const scores = scoresOfWord(word, strategy);
  const best = argmax(scores);
  return {
    entity: labels[best] ?? `LABEL_${best}`,
    score: scores[best]!,
    word: join(word.map((token) => token.word)),
    start: word[0]!.start,
    end: word.at(-1)!.end,
  };
}

function scoresOfWord(word: readonly TokenScores[], strategy: Aggregation): Float32Array {
  const [first] = word;
  if (strategy === "first") return first!.scores;
  if (strategy === "max") {
    const most = (token: TokenScores): number => token.scores[argmax(token.scores)]!;
    return word.reduce((best, token) => (most(token) > most(best) ? token : best)).scores;
  }
  return first!.scores.map((_, id) => mean(word.map((token) => token.scores[id]!)));
}

function mean(values: readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value;
  return Math.fround(sum / values.length);
}

function groupEntities(entities: readonly TokenEntity[], { join }: Aggregating): EntityGroup[] {
  const groups: TokenEntity[][] = [];
  for (const entity of entities) {
    const last = groups.at(-1);
    const before = last?.at(-1);
    const { begins, tag } = tagOf(entity.entity);
    if (last !== undefined && before !== undefined && !begins && tagOf(before.entity).tag === tag) {
      last.push(entity);
    } else groups.push([entity]);
  }
  return groups.map((group) => ({
    entity_group: group[0]!.entity.replace(/^[^-]*-/, ""),
    score: mean(group.map(({ score }) => score)),
    word: join(group.map(({ word }) => word)),
    start: group[0]!.start,
    end: group.at(-1)!.end,
  }));
}

/** A label without `B-` or `I-`; one with neither goes on with what was before. */
function tagOf(label: string): { readonly begins: boolean; readonly tag: string } {
  return { begins: label.startsWith("B-"), tag: label.replace(/^[BI]-/, "") };
}
