import { isObject, type SideFiles, unfit } from "../side-files.ts";
import { loadTokenizerLibrary, type Tokenizer } from "./tokenizer-library.ts";

/** What special tokens surround one text, or two: their ids, and which of the two every token belongs to. */
export interface Template {
  /** Before the first text, between both, after the last one. */
  readonly before: readonly number[];
  readonly between: readonly number[];
  readonly after: readonly number[];
  /** Of the tokens in those places and of the texts, in order: before, first, between, second, after. */
  readonly types: readonly [number, number, number, number, number];
}

/** What is done about spaces where tokens are bytes. */
export interface Trims {
  /** Places of tokens leave spaces out, */
  readonly isOn: boolean;
  /** but for one before the text, which is taken for the one below. */
  readonly sparesFirst: boolean;
  /** A space is put before the text. */
  readonly addsPrefix: boolean;
}

/** A tokenizer with what is known of it. */
export interface OpenTokenizer {
  readonly tokenizer: Tokenizer;
  /** tokenizer_config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly single: Template;
  readonly pair: Template;
  readonly padId: number;
  /** Tokens that one row may have, special ones included, as the tokenizer's own files say; undefined: any number. */
  readonly maxTokens: number | undefined;
  readonly padsLeft: boolean;
  readonly kind: "wordpiece" | "byte-level" | "metaspace";
  readonly trims: Trims;
  idOf(token: string): number;
}

const FILE = "tokenizer.json";
/** Where nobody knows, transformers writes 10³⁰. */
const UNKNOWN_LENGTH = 1_000_000;
const [FIRST, SECOND] = ["\u0000first", "\u0000second"];

/** Reads tokenizer.json and tokenizer_config.json. Throws `failed_precondition`. */
export async function openTokenizer(files: SideFiles): Promise<OpenTokenizer> {
  const json = files.needJson(FILE, "how text becomes tokens (a fast tokenizer's save_pretrained writes it)");
  const config = files.json("tokenizer_config.json") ?? {};
  const { Tokenizer } = await loadTokenizerLibrary();
  let tokenizer: Tokenizer;
  try {
    tokenizer = new Tokenizer(json, config);
  } catch (cause) {
    throw unfit(`${FILE}: ${(cause as Error).message.slice(0, 200)}`, cause);
  }
  const ids = tokenizer.model?.tokens_to_ids ?? new Map<string, number>();
  const unknown = tokenizer.model?.unk_token_id ?? ids.get(tokenOf(config["unk_token"]) ?? "") ?? 0;
  const idOf = (token: string): number => ids.get(token) ?? unknown;
  const pad = tokenOf(config["pad_token"]);
  const length = config["model_max_length"];
  return {
    tokenizer,
    config,
    single: templateOf(tokenizer, idOf, false),
    pair: templateOf(tokenizer, idOf, true),
    padId: pad === undefined ? 0 : idOf(pad),
    maxTokens: typeof length === "number" && length > 0 && length < UNKNOWN_LENGTH ? length : undefined,
    padsLeft: config["padding_side"] === "left",
    kind: kindOf(json),
    trims: trimsOf(json["post_processor"], json["pre_tokenizer"]),
    idOf,
  };
}

function kindOf({ model, pre_tokenizer: pre }: Readonly<Record<string, unknown>>): OpenTokenizer["kind"] {
  if (isObject(model) && model["type"] === "WordPiece") return "wordpiece";
  return stepsOf(pre, "pretokenizers").some(({ type }) => type === "ByteLevel") ? "byte-level" : "metaspace";
}

function trimsOf(post: unknown, pre: unknown): Trims {
  const trimming = stepsOf(post, "processors").find(
    ({ type }) => type === "RobertaProcessing" || type === "ByteLevel",
  );
  const splitting = stepsOf(pre, "pretokenizers").find(({ type }) => type === "ByteLevel");
  return {
    isOn: trimming !== undefined && trimming["trim_offsets"] !== false,
    sparesFirst: trimming !== undefined && trimming["add_prefix_space"] !== false,
    addsPrefix: splitting?.["add_prefix_space"] === true,
  };
}

/** The steps of a sequence, or the one step there is. */
function stepsOf(step: unknown, key: string): Readonly<Record<string, unknown>>[] {
  if (!isObject(step)) return [];
  const inner = step[key];
  return Array.isArray(inner) ? inner.filter(isObject) : [step];
}

/** A special token of tokenizer_config.json, which is a text or an object with one. */
export function tokenOf(given: unknown): string | undefined {
  if (typeof given === "string") return given;
  if (typeof given !== "object" || given === null || !("content" in given)) return undefined;
  return typeof given.content === "string" ? given.content : undefined;
}

function templateOf(tokenizer: Tokenizer, idOf: (token: string) => number, isPair: boolean): Template {
  const processed = tokenizer.post_processor?.([FIRST], isPair ? [SECOND] : null, true);
  const tokens = processed?.tokens ?? (isPair ? [FIRST, SECOND] : [FIRST]);
  const types = processed?.token_type_ids ?? [];
  const first = tokens.indexOf(FIRST);
  const second = isPair ? tokens.indexOf(SECOND) : first;
  if (first < 0 || second < first) throw unfit(`${FILE}: its post_processor leaves out a text`);
  const typeAt = (place: number): number => types[place] ?? 0;
  return {
    before: tokens.slice(0, first).map(idOf),
    between: tokens.slice(first + 1, second).map(idOf),
    after: tokens.slice(second + 1).map(idOf),
    types: [typeAt(0), typeAt(first), typeAt(first + 1), typeAt(second), typeAt(tokens.length - 1)],
  };
}
