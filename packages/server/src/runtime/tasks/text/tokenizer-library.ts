/** What is used of `@huggingface/tokenizers`, whose own types do not compile under the `nodenext` resolution. */
export interface Tokenizer {
  readonly normalizer: ((text: string) => string) | null;
  readonly post_processor:
    | ((
        first: readonly string[],
        second: readonly string[] | null,
        addSpecialTokens: boolean,
      ) => { readonly tokens: readonly string[]; readonly token_type_ids?: readonly number[] })
    | null;
  readonly decoder: ((tokens: readonly string[]) => string) | null;
  readonly model: {
    readonly tokens_to_ids: ReadonlyMap<string, number>;
    readonly vocab: readonly string[];
    readonly unk_token_id?: number;
    readonly unk_token?: string;
  } | null;
  tokenize(text: string, options: { readonly add_special_tokens: boolean }): string[];
  decode(
    ids: readonly number[],
    options: { readonly skip_special_tokens: boolean; readonly clean_up_tokenization_spaces?: boolean },
  ): string;
}

interface TokenizerLibrary {
  readonly Tokenizer: new (json: object, config: object) => Tokenizer;
}

/** A text, so that the compiler does not look for the types. */
const NAME: string = "@huggingface/tokenizers";

export async function loadTokenizerLibrary(): Promise<TokenizerLibrary> {
  // The interface above is what version 0.2 exports; it is pinned.
  return (await import(NAME)) as TokenizerLibrary;
}
