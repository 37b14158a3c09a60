/** What a page has its reader do with a block, as a comment on the line before it says, or else its language. */
export type BlockUse =
  /** Commands, each with what it prints. */
  | { readonly kind: "commands" }
  /** A file to save; later commands find it. */
  | { readonly kind: "file"; readonly name: string }
  /** Something that must be accepted without being done: a configuration file, or commands for another place. */
  | { readonly kind: "checked"; readonly as: string }
  /** Another test takes the block from the page; the path of its source. */
  | { readonly kind: "elsewhere"; readonly test: string }
  /** Nothing that could be done: a drawing, a listing, an answer. */
  | { readonly kind: "shown"; readonly what: string }
  /** What a test cannot have. */
  | { readonly kind: "not run"; readonly reason: string };

/** A fenced block of a page. */
export interface PageBlock {
  readonly language: string;
  readonly text: string;
  /** Of its first line in the page, from 1. */
  readonly line: number;
  readonly use: BlockUse;
}

/** What a page holds for a test: its blocks in order, and the models that it takes to be served from the start. */
export interface PageParts {
  readonly serves: string | undefined;
  readonly blocks: readonly PageBlock[];
}

const FENCE = /^( *)```([^\n`]*)$/;
const SERVES = /^<!-- serves: (.+) -->$/m;

/**
 * Cuts a page. `<!-- file: NAME -->`, `<!-- checked as: model.yaml -->`, `<!-- run by: PATH -->`, `<!-- shown: WHAT -->` and
 * `<!-- not run: REASON -->` say what a block is for; without one, only `console` blocks are. Throws for a block of which nothing says what it
 * is for.
 */
export function partsOfPage(page: string, name: string): PageParts {
  const lines = page.split("\n");
  const blocks: PageBlock[] = [];
  for (let i = 0; i < lines.length; i++) {
    const [, indent = "", language] = FENCE.exec(lines[i]!) ?? [];
    if (language === undefined) continue;
    const start = i + 1;
    while (++i < lines.length && lines[i]!.trim() !== "```");
    const text = lines
      .slice(start, i)
      .map((line) => `${line.slice(indent.length)}\n`)
      .join("");
    const use = useOf(language.trim(), lines[start - 2]?.trim() ?? "");
    if (use === undefined) {
      throw new Error(
        `${name}:${start}: nothing says what this block is for: put <!-- file: NAME -->, <!-- checked as: NAME -->, <!-- run by: TEST -->, <!-- shown: WHAT --> or <!-- not run: REASON --> before it, or call it console`,
      );
    }
    blocks.push({ language: language.trim(), text, line: start, use });
  }
  return { serves: SERVES.exec(page)?.[1], blocks };
}

function useOf(language: string, before: string): BlockUse | undefined {
  const [, word, rest = ""] = /^<!-- (file|checked as|run by|shown|not run): (.+) -->$/.exec(before) ?? [];
  if (word === "file") return { kind: "file", name: rest };
  if (word === "checked as") return { kind: "checked", as: rest };
  if (word === "run by") return { kind: "elsewhere", test: rest };
  if (word === "shown") return { kind: "shown", what: rest };
  if (word === "not run") return { kind: "not run", reason: rest };
  return language === "console" ? { kind: "commands" } : undefined;
}

/** A command of a page, with what it prints; `…` stands for anything. */
export interface ShownCommand {
  readonly command: string;
  readonly shown: string;
}

const COMMAND =
  /^(?:curl|head|echo|source|npx|python|node|mkdir|cp|cat|ls|printf|sconce|grpcurl|openssl|sed|test) |^(?:\$ )|^export /;

/** The commands of a `console` block. One that ends with a backslash goes on in the next line. */
export function commandsOf(block: string): ShownCommand[] {
  const commands: { command: string; shown: string }[] = [];
  let goesOn = false;
  for (const line of block.trimEnd().split("\n")) {
    const last = commands.at(-1);
    if (goesOn && last !== undefined) last.command += `\n${line}`;
    else if (COMMAND.test(line)) commands.push({ command: line.replace(/^\$ /, ""), shown: "" });
    else if (last !== undefined) last.shown += `${line}\n`;
    goesOn = line.endsWith("\\") && (goesOn || COMMAND.test(line));
  }
  return commands;
}
