import { ModelFileError } from "../errors.ts";

/** A lexical token; `indent` and `dedent` stand for a deeper and a shallower block, `newline` ends a statement. */
export interface Token {
  readonly kind:
    | "name"
    | "complex"
    | "number"
    | "string"
    | "symbol"
    | "newline"
    | "indent"
    | "dedent"
    | "end";
  readonly text: string;
  readonly line: number;
}

const MAX_TOKENS = 2_000_000;
const MAX_BLOCKS = 100;
const PATTERN =
  /(?<space>[ \t]+|#[^\n]*|\\\n)|(?<newline>\n)|(?<complex>\d+\.?\d*(?:[eE][+-]?\d+)?[+-]\d+\.?\d*(?:[eE][+-]?\d+)?j)|(?<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?<name>[A-Za-z_][A-Za-z0-9_]*)|(?<string>"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*')|(?<symbol>->|[()[\]{},:.=-])/y;

/** Splits a source file into tokens. Throws ModelFileError for text that TorchScript does not write. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  const pattern = new RegExp(PATTERN);
  const blocks = [0];
  let line = 1;
  let open = 0;
  let isLineStart = true;
  const push = (kind: Token["kind"], text: string): void => {
    if (tokens.length >= MAX_TOKENS)
      throw new ModelFileError("limit", "a TorchScript source file is too long");
    tokens.push({ kind, text, line });
  };
  for (let at = 0; at < source.length; at = pattern.lastIndex) {
    if (isLineStart && open === 0) indent(blocks, columnAt(source, at), push);
    pattern.lastIndex = at;
    const groups = pattern.exec(source)?.groups;
    if (groups === undefined)
      throw new ModelFileError("corrupt", `line ${line} of a TorchScript source is not valid`);
    isLineStart = false;
    if (groups["newline"] !== undefined) {
      if (open === 0 && tokens.at(-1)?.kind !== "newline" && tokens.length > 0) push("newline", "\n");
      line += 1;
      isLineStart = true;
    } else if (groups["space"] === undefined) {
      const [kind, text] = Object.entries(groups).find(([, match]) => match !== undefined) as [
        Token["kind"],
        string,
      ];
      if (kind === "symbol") open += "([{".includes(text) ? 1 : ")]}".includes(text) ? -1 : 0;
      push(kind, text);
    }
  }
  push("newline", "\n");
  indent(blocks, 0, push);
  push("end", "");
  return tokens;
}

/** The indentation of the line at `at`; undefined for a line that holds nothing. */
function columnAt(source: string, at: number): number | undefined {
  let column = 0;
  while (source[at + column] === " ") column += 1;
  const next = source[at + column];
  return next === undefined || next === "\n" || next === "#" ? undefined : column;
}

function indent(
  blocks: number[],
  column: number | undefined,
  push: (kind: Token["kind"], text: string) => void,
): void {
  if (column === undefined) return;
  if (column > blocks.at(-1)!) {
    if (blocks.length >= MAX_BLOCKS) throw new ModelFileError("limit", "a TorchScript source nests too deep");
    blocks.push(column);
    push("indent", "");
  }
  while (column < blocks.at(-1)!) {
    blocks.pop();
    push("dedent", "");
  }
}
