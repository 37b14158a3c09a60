import type { Dim, TensorSpec } from "../../../base/signature.ts";
import type { NamedTensor } from "../../../base/tensor.ts";
import { bad } from "../read-request.ts";
import { unfit } from "../side-files.ts";
import type { TaskContext } from "../task-processor.ts";
import { type OpenTokenizer, openTokenizer, type Template } from "./open-tokenizer.ts";

/** A text as a model takes it. */
export interface EncodedText {
  /** Special tokens and padding included. */
  readonly ids: readonly number[];
  /** The places of the first text's tokens. */
  readonly start: number;
  readonly end: number;
  /** The places of all tokens but padding, special ones included. */
  readonly real: { readonly from: number; readonly to: number };
  /** The tokens there, as the vocabulary spells them. */
  readonly tokens: readonly string[];
  readonly tensors: readonly NamedTensor[];
}

export interface TextEncoder {
  readonly open: OpenTokenizer;
  /** The same of tokens by their numbers, without special ones, which are added. */
  encodeIds(ids: readonly number[]): Pick<EncodedText, "tensors" | "real">;
  /** `first`: only the first text is cut short where both are too long; default: the longer one. Throws `invalid_argument`. */
  encode(text: string, pair?: string, options?: { readonly cuts?: "first" | "longest" }): EncodedText;
}

/** Characters of one text. A model sees a few thousand of them; splitting them into tokens takes a second per million. */
const MAX_CHARS = 262_144;
/** Special tokens in the vocabulary's order take places that positions do not count, in models of this kind. */
const OFFSET_POSITIONS =
  /^(roberta|xlm-roberta|camembert|longformer|mpnet|ibert|data2vec-text|xmod|bertweet)/;
const KNOWN = ["input_ids", "attention_mask", "token_type_ids"] as const;

/** Finds out how text becomes the model's inputs. Throws `failed_precondition`. */
export async function createTextEncoder(context: TaskContext): Promise<TextEncoder> {
  const open = await openTokenizer(context.files);
  const ports = portsOf(context.inputs);
  const length = lengthOf(ports.get("input_ids")!);
  const maxTokens = Math.min(open.maxTokens ?? Number.POSITIVE_INFINITY, positionsOf(context), length.max);
  const rowOf = (template: Template, first: readonly number[], second: readonly number[]) => {
    const { ids, types } = assemble(template, first, second);
    const real = ids.length;
    const padding = Math.max(0, length.padTo(real) - real);
    const left = open.padsLeft ? padding : 0;
    const padded = pad(ids, padding, { value: open.padId, isLeft: open.padsLeft });
    const columns: Record<(typeof KNOWN)[number], readonly number[]> = {
      input_ids: padded,
      attention_mask: pad(new Array<number>(real).fill(1), padding, { value: 0, isLeft: open.padsLeft }),
      token_type_ids: pad(types, padding, { value: 0, isLeft: open.padsLeft }),
    };
    const tensors = Array.from(ports, ([name, spec]) => integers(spec, columns[name]));
    return { ids: padded, left, real: { from: left, to: left + real }, tensors };
  };
  return {
    open,
    encodeIds: (ids) => rowOf(open.single, ids.slice(0, Math.max(0, maxTokens - specials(open.single))), []),
    encode(text, pair, { cuts = "longest" } = {}) {
      const template = pair === undefined ? open.single : open.pair;
      const first = tokensOf(open, text);
      const second = pair === undefined ? [] : tokensOf(open, pair);
      cut([first, second], maxTokens - specials(template), cuts);
      const { left, ...row } = rowOf(template, first.map(open.idOf), second.map(open.idOf));
      const start = left + template.before.length;
      return { ...row, start, end: start + first.length, tokens: first };
    },
  };
}

function tokensOf({ tokenizer }: OpenTokenizer, text: string): string[] {
  if (text.length > MAX_CHARS)
    throw bad("input", `the text has ${text.length} characters; at most ${MAX_CHARS} are taken`);
  try {
    return tokenizer.tokenize(text, { add_special_tokens: false });
  } catch (cause) {
    // One word of a hundred thousand pieces is more than the library takes.
    if (cause instanceof RangeError)
      throw bad("input", "the text is one endless word; nothing can be made of it");
    throw cause;
  }
}

function portsOf(inputs: readonly TensorSpec[]): Map<(typeof KNOWN)[number], TensorSpec> {
  const ports = new Map<(typeof KNOWN)[number], TensorSpec>();
  for (const spec of inputs) {
    const name = KNOWN.find((known) => spec.name === known || spec.aliases?.includes(known));
    if (name !== undefined) ports.set(name, spec);
  }
  const [only] = inputs;
  if (ports.size === 0 && inputs.length === 1) ports.set("input_ids", only!);
  const surplus = inputs.find((spec) => ![...ports.values()].includes(spec));
  const isFit = [...ports.values()].every(
    ({ datatype, dims }) => dims.length === 2 && (datatype === "INT64" || datatype === "INT32"),
  );
  if (ports.has("input_ids") && surplus === undefined && isFit) return ports;
  const there = inputs.map(({ name, datatype }) => `${name} (${datatype})`).join(", ");
  throw unfit(
    `the model takes ${there}; expected input_ids, and perhaps attention_mask and token_type_ids, INT64 [batch, sequence]; name them in model.yaml (rename)`,
  );
}

/** How long a row may be, and must be. */
function lengthOf({ dims }: TensorSpec): { readonly max: number; padTo(tokens: number): number } {
  const dim: Dim = dims[1]!;
  if (typeof dim === "number") return { max: dim, padTo: () => dim };
  const { min, max = Number.POSITIVE_INFINITY, multipleOf = 1 } = dim;
  return { max, padTo: (tokens) => Math.ceil(Math.max(tokens, min) / multipleOf) * multipleOf };
}

/** How many positions the model knows, as config.json says. */
function positionsOf({ files }: TaskContext): number {
  const config = files.json("config.json") ?? {};
  const { max_position_embeddings: positions, model_type: type, pad_token_id: padId } = config;
  if (typeof positions !== "number" || positions <= 0) return Number.POSITIVE_INFINITY;
  if (!OFFSET_POSITIONS.test(String(type))) return positions;
  return positions - 1 - (typeof padId === "number" ? padId : 1);
}

function specials({ before, between, after }: Template): number {
  return before.length + between.length + after.length;
}

/** Cuts texts short at their ends until both fit. */
function cut([first, second]: readonly [string[], string[]], room: number, cuts: "first" | "longest"): void {
  if (first.length + second.length <= room) return;
  if (second.length === 0 || cuts === "first") {
    if (room < second.length) throw bad("input", `the second text has more than ${room} tokens`);
    first.length = Math.max(0, room - second.length);
    return;
  }
  const shorter = Math.min(first.length, second.length);
  const half = Math.max(0, Math.floor(room / 2));
  if (shorter <= half) {
    const longer = first.length >= second.length ? first : second;
    longer.length = room - shorter;
    return;
  }
  first.length = room - half;
  second.length = half;
}

function assemble(
  { before, between, after, types }: Template,
  first: readonly number[],
  second: readonly number[],
): { readonly ids: number[]; readonly types: number[] } {
  const parts = [before, first, between, second, after];
  return {
    ids: parts.flat(),
    types: parts.flatMap((part, i) => new Array<number>(part.length).fill(types[i]!)),
  };
}

function pad(
  row: readonly number[],
  padding: number,
  { value, isLeft }: { readonly value: number; readonly isLeft: boolean },
): readonly number[] {
  if (padding === 0) return row;
  const fill = new Array<number>(padding).fill(value);
  return isLeft ? [...fill, ...row] : [...row, ...fill];
}

function integers({ name, datatype }: TensorSpec, row: readonly number[]): NamedTensor {
  const values = datatype === "INT32" ? Int32Array.from(row) : BigInt64Array.from(row, BigInt);
  return { name, datatype, shape: [1, row.length], bytes: new Uint8Array(values.buffer) };
}
