/** A word of Python: a name (dots included, such as `math.floor`), a number, a quoted text, or a sign. */
export interface GuardToken {
  readonly kind: "name" | "number" | "text" | "sign";
  readonly text: string;
}

const TOKEN =
  /\s*(?:((?:math|torch)(?:\.[A-Za-z_]\w*)+|[A-Za-z_]\w*)|(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)|'([^'\\]*)'|"([^"\\]*)"|(\*\*|\/\/|<<|>>|[<>=!]=|[-+*/%&|^~()[\],.<>]))/y;

/** The words of a Python expression; undefined when it has others than guards are made of. */
export function guardTokens(text: string): readonly GuardToken[] | undefined {
  const tokens: GuardToken[] = [];
  for (let at = 0; text.slice(at).trim() !== ""; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) return undefined;
    const [, name, number, single, double, sign] = match;
    const quoted = single ?? double;
    if (name !== undefined) tokens.push({ kind: "name", text: name });
    else if (number !== undefined) tokens.push({ kind: "number", text: number });
    else if (quoted !== undefined) tokens.push({ kind: "text", text: quoted });
    else tokens.push({ kind: "sign", text: sign! });
  }
  return tokens;
}
