import type { ErrorCode } from "yaml";

/** What the YAML reader objects to. */
interface YamlProblem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly linePos?: readonly { readonly line: number; readonly col: number }[] | undefined;
}

const COLON = 'expected "key: value"; is the colon, or the space after it, missing?';

const WORDS: Partial<Record<ErrorCode, string>> = {
  BAD_ALIAS: "an alias (*) cannot stand here; put a text that begins with * in quotes",
  BAD_DQ_ESCAPE: "double quotes do not know this escape; write \\\\ for a backslash, or use single quotes",
  BAD_SCALAR_START: "a value cannot begin with this character; put it in quotes",
  BLOCK_AS_IMPLICIT_KEY:
    "a second key on one line, or deeper than the line before; put a text with a colon in quotes",
  DUPLICATE_KEY: "this key is there twice",
  KEY_OVER_1024_CHARS: "a key has at most 1024 characters",
  MULTILINE_IMPLICIT_KEY: COLON,
  MULTIPLE_ANCHORS: "a value has at most one anchor (&)",
  TAB_AS_INDENT: "a tab; indent with spaces",
  TAG_RESOLVE_FAILED: "tags (!) are not supported; put a text that begins with ! in quotes",
  UNEXPECTED_TOKEN: "this does not belong here; is a quote, a bracket or a comma missing, or one too many?",
};

/** Words for whoever wrote the file, with the place: `line 2, column 3: …`. */
export function yamlProblem({ code, message, linePos }: YamlProblem): string {
  const [place] = linePos ?? [];
  const words = WORDS[code] ?? byMessage(message);
  return place === undefined ? words : `line ${place.line}, column ${place.col}: ${words}`;
}

/** Two codes stand for several mistakes. */
function byMessage(message: string): string {
  const bracket = /end with an? ([\]}])/.exec(message)?.[1];
  if (bracket !== undefined) return `a bracket is open; expected ${bracket}`;
  if (/closing ["']/.test(message)) return "a quote is open; expected the closing one";
  if (message.startsWith("Implicit map keys")) return COLON;
  if (message.includes("same column")) return "wrong indentation; keys of one mapping begin in one column";
  return message.split("\n")[0]!.replace(/ at line \d+, column \d+:$/, "");
}
